// The script of a Zabbix media type that posts problems and recoveries to Watchkeeper: docs/senders.md.
// Zabbix runs it for each message. It throws if the alert was not accepted, so that Zabbix tries again.
var parameters = JSON.parse(value);
var request = new (typeof HttpRequest === 'undefined' ? CurlHttpRequest : HttpRequest)();

var alert = {};
['event_id', 'trigger_id', 'value', 'severity', 'name', 'host', 'opdata', 'url'].forEach(function (name) {
    alert[name] = parameters[name];
});
try {
    alert.tags = JSON.parse(parameters.tags);
} catch (error) {
    alert.tags = []; // a macro that Zabbix did not replace, as in the test of the media type
}

request.addHeader('Content-Type: application/json');
request.addHeader('Authorization: Bearer ' + parameters.token);
var answer = request.post(parameters.address, JSON.stringify(alert));
var status = typeof request.getStatus === 'function' ? request.getStatus() : request.Status();
if (status !== 200 && status !== 202) {
    throw 'Watchkeeper answered ' + status + ': ' + answer;
}
return answer;
