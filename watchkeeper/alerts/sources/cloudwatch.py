"""CloudWatch alarms, sent by an SNS topic with an HTTPS subscription."""

from __future__ import annotations

import re
from collections import OrderedDict

from pydantic import Field, model_validator

from watchkeeper.alerts.builder import make_alert
from watchkeeper.alerts.identity import episode_from_time, identity
from watchkeeper.alerts.payload import (
    Items,
    MalformedPayload,
    Payload,
    Text,
    Time,
    UnreadableTimes,
    parse_json,
    parse_model,
)
from watchkeeper.alerts.sns import (
    TOLERANCE,
    SnsEnvelope,
    check_certificate_url,
    check_signature,
    is_confirmation_url,
)
from watchkeeper.alerts.source import FetchCertificate, ParsedPayload, Source, WebhookRequest
from watchkeeper.alerts.verification import VerificationError, check_age
from watchkeeper.config.alert_source import Names, SourceSection
from watchkeeper.contracts import Alert

_ARN = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d+:[\w-]+(\.fifo)?")
_CERTIFICATES = 8
_STATES = ("ALARM", "OK", "INSUFFICIENT_DATA")


class CloudWatchSection(SourceSection):
    """The accepted topics. SNS signs every message with its certificate, so no secret is needed."""

    topics: Names = Field(min_length=1, description="ARNs. Only their messages and subscriptions are accepted.")

    @property
    def proofs(self) -> bool:
        """Always true: SNS signs every message."""
        return True

    @model_validator(mode="after")
    def _valid_topics(self) -> CloudWatchSection:
        if wrong := next((topic for topic in self.topics if not _ARN.fullmatch(topic)), None):
            raise ValueError(f"topics: {wrong!r} is not the ARN of an SNS topic (arn:aws:sns:REGION:ACCOUNT:NAME)")
        return self


class _Dimension(Payload):
    name: Text = ""
    value: Text = ""


class _Metric(Payload):
    MetricName: Text = ""
    Namespace: Text = ""
    Dimensions: Items[_Dimension] = Field(default_factory=list)


class _MetricStat(Payload):
    Metric: _Metric | None = None


class _Query(Payload):
    MetricStat: _MetricStat | None = None


class _Trigger(_Metric):
    """What an alarm watches: one metric, or, for metric math and anomaly detection, several in ``Metrics``."""

    Metrics: Items[_Query] = Field(default_factory=list)

    def metrics(self) -> list[_Metric]:
        """Return the metric itself, then each metric of the queries."""
        stats = [query.MetricStat.Metric for query in self.Metrics if query.MetricStat and query.MetricStat.Metric]
        return [self, *stats]


class _Alarm(Payload):
    AlarmName: Text
    AlarmArn: Text = ""
    AlarmDescription: Text = ""
    AWSAccountId: Text = ""
    Region: Text = ""
    NewStateValue: Text
    NewStateReason: Text = ""
    OldStateValue: Text = ""
    StateChangeTime: Time = None
    Trigger: _Trigger | None = None


class CloudWatch(Source[CloudWatchSection]):
    """Verifies messages with the certificate of SNS, which it fetches once, and only from a URL of SNS."""

    Section = CloudWatchSection

    def __init__(self, name: str, section: CloudWatchSection) -> None:
        super().__init__(name, section)
        self._certificates: OrderedDict[str, bytes] = OrderedDict()

    async def verify(self, request: WebhookRequest, fetch: FetchCertificate) -> None:
        """Check the topic, the age and the signature, in this order, so that no one else can cause a fetch."""
        await super().verify(request, fetch)
        envelope = parse_model(SnsEnvelope, parse_json(request.body))
        if envelope.TopicArn not in self.section.topics:
            raise VerificationError("its topic is not in the settings")
        check_certificate_url(envelope.SigningCertURL)
        check_age(envelope.Timestamp, request.received_at, TOLERANCE)
        url = envelope.SigningCertURL
        certificate = self._certificates.get(url) or await fetch(url)
        check_signature(envelope, certificate)
        self._certificates[url] = certificate
        if len(self._certificates) > _CERTIFICATES:
            self._certificates.popitem(last=False)

    def parse(self, request: WebhookRequest) -> ParsedPayload:
        """Parse the message in the envelope. A message that is not an alarm is ignored."""
        envelope = parse_model(SnsEnvelope, parse_json(request.body))
        if envelope.Type == "SubscriptionConfirmation":
            return self._subscription(envelope)
        if envelope.Type == "UnsubscribeConfirmation":
            return ParsedPayload(ignored=["the topic was unsubscribed"])
        try:
            message = parse_json(envelope.Message.encode("utf-8", "surrogatepass"))
        except MalformedPayload:
            return ParsedPayload(ignored=["its message is no alarm"])
        if "AlarmName" not in message:
            return ParsedPayload(ignored=["its message is no alarm"])
        times = UnreadableTimes()
        try:
            alarm = parse_model(_Alarm, message, times)
        except MalformedPayload as error:
            raise MalformedPayload(f"in Message: {error}") from None
        if alarm.NewStateValue not in _STATES:
            raise MalformedPayload(f"in Message: NewStateValue: should be one of {', '.join(_STATES)}")
        return ParsedPayload(alerts=[self._alert(alarm, request.received_at)], notes=times.notes())

    def _subscription(self, envelope: SnsEnvelope) -> ParsedPayload:
        url, topic = envelope.SubscribeURL or "", envelope.TopicArn
        if topic not in self.section.topics or not is_confirmation_url(url, topic):
            return ParsedPayload(ignored=["what would confirm the subscription is not an address of SNS for its topic"])
        return ParsedPayload(ignored=["the topic asks whether to send"], confirm=url)

    def _alert(self, alarm: _Alarm, now: float) -> Alert:
        name = (alarm.AlarmArn,) if alarm.AlarmArn else (alarm.AWSAccountId, alarm.Region, alarm.AlarmName)
        resolved = alarm.NewStateValue == "OK"
        labels = _labels(alarm)
        return make_alert(
            self.name,
            now=now,
            group=identity(*name),
            fingerprint=identity(*name),
            # StateChangeTime is the start of the episode only in the message that begins it.
            episode=None if resolved else episode_from_time(alarm.StateChangeTime),
            status="resolved" if resolved else "firing",
            title=alarm.AlarmName,
            description="\n".join(part for part in (alarm.AlarmDescription, alarm.NewStateReason) if part),
            starts_at=None if resolved else alarm.StateChangeTime,
            ends_at=alarm.StateChangeTime,
            as_of=alarm.StateChangeTime,
            occasion="no_data" if alarm.NewStateValue == "INSUFFICIENT_DATA" else None,
            service=labels.get("ServiceName"),
            labels=labels,
        )


def _labels(alarm: _Alarm) -> dict[str, str]:
    metrics = (alarm.Trigger or _Trigger()).metrics()
    labels = {
        "alarm": alarm.AlarmName,
        "account": alarm.AWSAccountId,
        "region": alarm.Region,
        "namespace": next((metric.Namespace for metric in metrics if metric.Namespace), ""),
        "metric": next((metric.MetricName for metric in metrics if metric.MetricName), ""),
        "was": alarm.OldStateValue,
        # Of several metrics the first one counts.
        **{one.name: one.value for metric in reversed(metrics) for one in metric.Dimensions},
    }
    return {name: value for name, value in labels.items() if value}
