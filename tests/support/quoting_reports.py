"""Texts of reports that speak of tools, or quote markup, JSON and code: none of them is a call."""

from __future__ import annotations

QUOTING_REPORTS = """\
**Status:** orders fail. `page_engineer` was called once (INC-12); `get_deploys` showed {"version": "2.4.1"}.

**Next step:** roll back.
====
Roll back with `kubectl rollout undo deployment/checkout -n shop`.
====
**Next step:** run
```bash
kubectl rollout undo deployment/checkout
curl -X POST https://flags.internal/api -d '{"name": "checkout-v2", "enabled": false}'
```
====
Alert on `rate(http_requests_total{service="checkout",code=~"5.."}[5m]) / rate(http_requests_total[5m]) > 0.05`.
====
rate(http_requests_total[5m]) is 18 % since 12:03.
====
The log shows:
```
12:03:11 ERROR java.lang.NullPointerException: Cannot invoke "Cart.total()" because "cart" is null
	at com.shop.Checkout.pay(Checkout.java:42)
	at com.shop.Checkout.lambda$handle$0(Checkout.java:17)
```
Roll back to 2.4.0.
====
Traceback (most recent call last):
  File "/app/pay.py", line 12, in pay
    charge(card, amount=total(cart))
TypeError: charge() got an unexpected keyword argument 'amount'

The deploy 2.4.1 broke it.
====
The handler `<function handle_order at 0x7f3a2c1b>` raised. Root cause: 2.4.1.
====
<NullPointerException> in Checkout.pay, 812 times since 12:03.
====
**Evidence:** the gateway logged `<tool_call>{"name": "search_logs", "arguments": {}}</tool_call>`, a leak of its model.
====
The host leaked <|tool_call_begin|> into the answer.
====
The gateway logs `<|im_start|>` tokens since the deploy.
====
Models wrap calls in <tool_call> tags; the parser of the gateway drops them.
====
{"service": "checkout", "healthy": false}
====
{"name": "checkout", "status": "down"}
====
```json
{"name": "checkout", "version": "2.4.1", "state": "failed"}
```
====
I called `search_logs(service="checkout", query="error")` and found 37 lines.
====
**Evidence:**
- `search_logs(service="checkout", query="error")`: 37 lines since 12:03
- `get_deploys(service="checkout")`: 2.4.1 at 12:01
====
**Evidence:**
- search_logs(service="checkout", query="error"): 37 lines
- get_deploys(service="checkout")
====
search_logs found 37 lines. get_deploys shows 2.4.1 at 12:01.
====
search_logs(query="error") returned 37 lines; the first is from 12:03.
====
page_engineer was called once: INC-4827.
====
**Action:** page_engineer was called once (INC-4827).
====
**Actions taken:** paged payments with `page_engineer` (INC-4827).
====
Action: roll back checkout to 2.4.0 now.
====
Action items:
1. Roll back.
2. Call the vendor.
====
**Status:** recovered.
> 12:03 ERROR <tool_call>{"name": "page_engineer", "arguments": {"team": "payments", "summary": "x"}}</tool_call>

The line above is from the log of the assistant service.
====
**Cause:** the config map has

```yaml
tools:
  - name: search_logs
    enabled: false
```

**Next step:** set it to true.
====
**Status:** 12 % of requests fail.

| call | result |
|---|---|
| search_logs | 37 lines |
| get_deploys | 2.4.1 |
====
<?xml version="1.0"?><error><code>500</code><reason>OOMKilled</reason></error> is what the backend answers.
====
The response was `{"error": {"type": "tool_use_failed", "message": "bad call"}}`.
====
The function `pay(cart)` fails when the cart is empty; call `flush(cache)` after the rollback.
====
The query SELECT count(*) FROM orders WHERE status = 'failed' returns 812.
====
**Next step:** scale with `kubectl scale deploy/checkout --replicas=6` and watch `search_logs`.
====
No one was paged: page_engineer is not needed while the service is healthy.
====
r1.0 get_service_health: error rate 18.2 %; r1.1 search_logs: 37 lines; r1.2 get_deploys: 2.4.1.
====
get_deploys: {"version": "2.4.1", "at": "12:01"}
search_logs: {"matches": 37}

Both point to the deploy.
====
**Root cause:** the tool call `search_logs` timed out twice; its result was [cut].
====
[12:03:11] [ERROR] [checkout] payment failed (code=500)
It repeats 812 times.
====
std::vector<Function<int>> overflowed in Checkout::call(int) [see stack]
====
The assistant's log has the line {"level":"error","name":"checkout","arguments":{"id":7},"msg":"boom"} 12 times.
====
Error budget: 43.2 min; used: 12 min (28 %). [Runbook](https://runbooks.internal/checkout?tool=search_logs)
====
The service answers 503 to `POST /v1/tools/call` since 12:03.
====
<details><summary>Log</summary>
12:03 ERROR timeout
</details>
The timeout began at 12:03.
====
Nothing failed. Verdict: healthy.
====
**Verdict:** unknown

```text
12:03 WARN tool_call queue is full
```
====
Reason: the <thinking> tag in the prompt of the bot is not closed, so `</thinking>` is shown to users.
====
Open `https://grafana/d/x?var-service=checkout` and run `get_deploys` again after the rollback.
====
The deployment calls `invoke(name="charge")` twice per order.
====
```sql
SELECT * FROM calls WHERE name = 'search_logs';
```
shows nothing since 12:03.
====
**Status:** degraded
**Evidence:** result of r1.1:
```json
{"matches": 37, "lines": [{"at": "12:03:11", "text": "call search_logs(service) failed"}]}
```
**Next step:** roll back.
====
The error rate is 18.2 %. I checked it with search_logs(service="checkout", query="error").
====
18.2 % of orders fail, as seen in search_logs(service="checkout", query="error").
====
It began at 12:03; I ran search_logs(service="checkout", query="error") and get_deploys(service="checkout").
====
No one was paged yet. page_engineer (team payments) can do so.
====
The assistant logs invalid function call <function=charge_card>{"amount": null}</function> in 12 requests.
====
The Helm value is:

```yaml
tool: search_logs
parameters:
  service: checkout
```

It should name checkout-v2.
====
Root cause: `const user = await getUser({id: 5})` throws when the cache is cold.
====
Root cause: call_tool("render", {"page": 1}) in worker.py never returns.
====
The message is {name: "checkout", error: "timeout"} in all 37 lines.
====
{app="search_logs"} |= "error" has 37 lines in Loki.
====
Run `/rollback checkout 2.4.0` in Slack, then watch /metrics.
====
{"verdict": "diagnosed", "cause": "v2.4.1", "tools": ["search_logs", "get_deploys"]}
====
search_logs_errors_total{service="checkout"} / search_logs_total{service="checkout"} is 0.18 now.
====
tool: search_logs was slow (4.2 s), tool: get_deploys was fast.
====
Use get_deploys limit=5 to see more; search_logs query=error showed 37 lines.
====
The error rate is 18.2 % (get_deploys(service="checkout")).
====
The error rate is 18.2 % [get_deploys(service="checkout")].
====
Sources: get_deploys(service="checkout"), search_logs(service="checkout", query="error")
====
What I looked at:
* get_deploys(checkout)
* search_logs(checkout, "error")

18.2 % of orders fail since v2.4.1.
====
12:03 ERROR invalid call {"name": "search_logs", "arguments": {"service": "x"}} rejected, 12 times since 12:00.
====
2026-11-30T12:03:11Z bot: <tool_call>{"name": "search_logs", "arguments": {"service": "x", "query": "y"}}</tool_call>

This line repeats since the deploy.
====
The bot's log holds "[TOOL_CALLS] [{"name": "x"}]" 12 times.
====
The page shows &lt;tool_call&gt; to customers since 13:42.
====
The response body is &lt;html&gt;&lt;body&gt;502 Bad Gateway&lt;/body&gt;&lt;/html&gt; since 13:42.
====
Verdict: healthy. get\\_deploys shows nothing since 13:42.
====
GET_DEPLOYS says v2.4.1. Search-logs says 37 lines.
====
Traceback (most recent call last):
  File "/app/bot.py", line 3, in run
    client.search_logs(service="checkout", query="error")
TimeoutError: 30 s

The bot times out since 13:42.
====
The metric mcp_search_logs_total{service="checkout"} rose to 812.
====
错误率为 18.2%（get_deploys（service="checkout"）），始于 13:42。原因是 v2.4.1。
====
to=payments mail bounced 37 times since 13:42.
====
The <arg_key> tag is shown to people by the bot since 13:42.
""".strip().split("\n====\n")
