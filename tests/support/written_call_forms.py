"""Tool calls as models and hosts leave them in texts, and texts that only look like calls."""

from __future__ import annotations

from watchkeeper.contracts import JsonObject

ARGUMENTS = {"service": "checkout", "query": "error"}
OBJECT = '{"service": "checkout", "query": "error"}'
ESCAPED = '"{\\"service\\": \\"checkout\\", \\"query\\": \\"error\\"}"'
CALL = f'{{"name": "search_logs", "arguments": {OBJECT}}}'

TOOLS: dict[str, JsonObject] = {
    "search_logs": {
        "type": "object",
        "properties": {
            "service": {"type": "string"},
            "query": {"type": "string"},
            "minutes": {"type": "integer", "minimum": 1, "maximum": 1440},
        },
        "required": ["query", "service"],
        "additionalProperties": False,
    },
    "get_deploys": {
        "type": "object",
        "properties": {"service": {"type": "string"}, "hours": {"type": "integer"}},
        "required": ["service"],
        "additionalProperties": False,
    },
    "page_engineer": {
        "type": "object",
        "properties": {
            "team": {"type": "string"},
            "summary": {"type": "string"},
            "severity": {"type": "string", "enum": ["critical", "error", "warning", "info"]},
        },
        "required": ["summary", "team"],
        "additionalProperties": False,
    },
    "list_incidents": {"type": "object", "properties": {}, "additionalProperties": False},
}


def _prefixed(markup: str) -> str:
    return markup.replace("<", "<x:").replace("<x:/", "</x:")


INVOKE = (
    '<invoke name="search_logs">\n<parameter name="service">checkout</parameter>\n'
    '<parameter name="query">error</parameter>\n</invoke>'
)
DSML = (
    '<｜DSML｜invoke name="search_logs">\n'
    '<｜DSML｜parameter name="service" string="true">checkout</｜DSML｜parameter>\n'
    '<｜DSML｜parameter name="query" string="true">error</｜DSML｜parameter>\n</｜DSML｜invoke>'
)
FUNCTION = (
    "<function=search_logs>\n<parameter=service>\ncheckout\n</parameter>\n"
    "<parameter=query>\nerror\n</parameter>\n</function>"
)
PAIRS = (
    "<arg_key>service</arg_key>\n<arg_value>checkout</arg_value>\n"
    "<arg_key>query</arg_key>\n<arg_value>error</arg_value>"
)
CHILDREN = "<service>checkout</service>\n<query>error</query>"
KWARGS = 'search_logs(service="checkout", query="error")'
BEGIN, ARGUMENT, END = "<|tool_call_begin|>", "<|tool_call_argument_begin|>", "<|tool_call_end|>"

RUNNABLE: dict[str, str] = {
    "k2 section": f"<|tool_calls_section_begin|>{BEGIN}"
    f"functions.search_logs:0{ARGUMENT}{OBJECT}{END}<|tool_calls_section_end|>",
    "k2 block": f"{BEGIN}functions.search_logs:0{ARGUMENT}{OBJECT}{END}",
    "k2 without index": f"{BEGIN}search_logs{ARGUMENT}{OBJECT}{END}",
    "k2 encoded twice": f"{BEGIN}functions.search_logs:1{ARGUMENT}{ESCAPED}{END}",
    "k2 without tokens": f"functions.search_logs:0{OBJECT}",
    "k3": '<|open|>tools<|sep|><|open|>call tool="search_logs" index="1"<|sep|>'
    '<|open|>argument key="service" type="string"<|sep|>checkout<|close|>argument<|sep|>'
    '<|open|>argument key="query" type="string"<|sep|>error<|close|>argument<|sep|>'
    "<|close|>call<|sep|><|close|>tools<|sep|>",
    "deepseek with a fence": "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>search_logs\n"
    f"```json\n{OBJECT}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    "deepseek": "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>"
    f"search_logs<｜tool▁sep｜>{OBJECT}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    "dsml": f"<｜DSML｜function_calls>\n{DSML}\n</｜DSML｜function_calls>",
    "dsml tool_calls": f"<｜DSML｜tool_calls>\n{DSML}\n</｜DSML｜tool_calls>",
    "dsml without a section": DSML,
    "dsml with plain bars": DSML.replace("｜", "|"),
    "minimax": f"<minimax:tool_call>\n{INVOKE}\n</minimax:tool_call>",
    "function_calls": f"<function_calls>\n{INVOKE}\n</function_calls>",
    "namespaced": _prefixed(f"<function_calls>\n{INVOKE}\n</function_calls>"),
    "bare invoke": INVOKE,
    "steptml": '<steptml:function_call><steptml:invoke name="search_logs">'
    f"{CHILDREN}</steptml:invoke></steptml:function_call>",
    "seed": f"<seed:tool_call>{FUNCTION}</seed:tool_call>",
    "hermes": f"<tool_call>\n{CALL}\n</tool_call>",
    "hermes in one line": f"<tool_call>{CALL}</tool_call>",
    "hermes upper case": f"<TOOL_CALL>{CALL}</TOOL_CALL>",
    "hermes args": f"<tool_call>{CALL.replace('arguments', 'args')}</tool_call>",
    "hermes without an end": f"<tool_call>\n{CALL}",
    "toolcall list": f"<TOOLCALL>[{CALL}]</TOOLCALL>",
    "tool_calls list": f"<tool_calls>[{CALL}]</tool_calls>",
    "functioncall": f"<functioncall> {CALL} </functioncall>",
    "function_call tag": f"<function_call>{CALL}</function_call>",
    "qwen coder": f"<tool_call>\n{FUNCTION}\n</tool_call>",
    "qwen coder without tool_call": FUNCTION,
    "qwen coder stray end": f"{FUNCTION}</tool_call>",
    "llama function": f"<function=search_logs>{OBJECT}</function>",
    "llama function without an end": f"<function=search_logs>{OBJECT}",
    "llama quoted name": f'<function="search_logs">{OBJECT}</function>',
    "llama python tag": f"<|python_tag|>{CALL.replace('arguments', 'parameters')}",
    "llama python tag expression": f"<|python_tag|>{KWARGS}",
    "llama json": CALL.replace("arguments", "parameters"),
    "llama typed": f'{{"type": "function", "name": "search_logs", "parameters": {OBJECT}}}',
    "llama 4": f"[{KWARGS}]",
    "pythonic": KWARGS,
    "pythonic single quotes": KWARGS.replace('"', "'"),
    "glm": f"<tool_call>search_logs\n{PAIRS}\n</tool_call>",
    "glm on one line": f"<tool_call>search_logs{PAIRS}</tool_call>".replace("\n", ""),
    "glm 4": f"search_logs\n{OBJECT}",
    "mistral": f"[TOOL_CALLS][{CALL}]",
    "mistral space": f"[TOOL_CALLS] [{CALL}]",
    "mistral args": f"[TOOL_CALLS]search_logs[ARGS]{OBJECT}",
    "mistral call id": f"[TOOL_CALLS]search_logs[CALL_ID]a1B2c3D4e[ARGS]{OBJECT}",
    "mistral name": f"[TOOL_CALLS]search_logs{OBJECT}",
    "lm studio": f"[TOOL_REQUEST]\n{CALL}\n[END_TOOL_REQUEST]",
    "granite": f"<|tool_call|>[{CALL}]",
    "granite tag": f"<tool_call>[{CALL}]",
    "phi": f"<|tool_call|>[{CALL}]<|/tool_call|>",
    "phi functools": f"functools[{CALL}]",
    "command r": "<|START_ACTION|>"
    f'[{{"tool_call_id": "0", "tool_name": "search_logs", "parameters": {OBJECT}}}]<|END_ACTION|>',
    "command r text": f'```json\n[{{"tool_name": "search_logs", "parameters": {OBJECT}}}]\n```',
    "internlm": f"<|action_start|><|plugin|>\n{CALL.replace('arguments', 'parameters')}<|action_end|>",
    "functionary": f">>>search_logs\n{OBJECT}",
    "xlam": f"[{CALL}]",
    "openai entry": '{"id": "call_1", "type": "function", '
    f'"function": {{"name": "search_logs", "arguments": {ESCAPED}}}}}',
    "openai message": '{"tool_calls": [{"type": "function", '
    f'"function": {{"name": "search_logs", "arguments": {ESCAPED}}}}}]}}',
    "anthropic entry": f'{{"type": "tool_use", "id": "toolu_1", "name": "search_logs", "input": {OBJECT}}}',
    "parallel": f'{{"tool_uses": [{{"recipient_name": "functions.search_logs", "parameters": {OBJECT}}}]}}',
    "action json": f'{{"action": "search_logs", "action_input": {OBJECT}}}',
    "tool json": f'{{"tool": "search_logs", "args": {OBJECT}}}',
    "name as key": f'{{"search_logs": {OBJECT}}}',
    "flat json": '{"tool": "search_logs", "service": "checkout", "query": "error"}',
    "harmony": f"<|channel|>commentary to=functions.search_logs <|constrain|>json<|message|>{OBJECT}<|call|>",
    "harmony recipient first": "<|start|>assistant to=functions.search_logs"
    f"<|channel|>commentary json<|message|>{OBJECT}",
    "harmony after analysis": "<|channel|>analysis<|message|>I look.<|end|><|start|>assistant<|channel|>commentary "
    f"to=functions.search_logs <|constrain|>json<|message|>{OBJECT}<|call|>",
    "harmony without tokens": f"assistantcommentary to=functions.search_logs json{OBJECT}",
    "gemma tool_code": f"```tool_code\n{KWARGS}\n```",
    "gemma print": f"```tool_code\nprint({KWARGS})\n```",
    "gemma default_api": f"```tool_code\nprint(default_api.{KWARGS})\n```",
    "gemma 4": '<|tool_call>call:search_logs{service:<|"|>checkout<|"|>,query:<|"|>error<|"|>}<tool_call|>',
    "function gemma": "<start_function_call>call:search_logs{"
    "service:<escape>checkout<escape>,query:<escape>error<escape>}"
    "<end_function_call>",
    "tool_code tag": f"<tool_code>{KWARGS}</tool_code>",
    "react": f"Thought: I should look.\nAction: search_logs\nAction Input: {OBJECT}",
    "react without a thought": f"Action: search_logs\nAction Input: {OBJECT}",
    "react bold": f"**Action:** search_logs\n**Action Input:** {OBJECT}",
    "react code": f"Action: `search_logs`\nAction Input: `{OBJECT}`",
    "label tool": f"Tool: search_logs\nArguments: {OBJECT}",
    "label tool call": f"Tool call: search_logs({OBJECT})",
    "tag of the tool": f"<search_logs>\n{CHILDREN}\n</search_logs>",
    "tag with attributes": '<search_logs service="checkout" query="error" />',
    "tool_use names": f"<tool_use><name>search_logs</name><arguments>{OBJECT}</arguments></tool_use>",
    "use_mcp_tool": "<use_mcp_tool>\n<tool_name>search_logs</tool_name>\n"
    f"<arguments>\n{OBJECT}\n</arguments>\n</use_mcp_tool>",
    "function tag name": f'<function name="search_logs">{OBJECT}</function>',
    "tool_call attribute": f'<tool_call name="search_logs">{OBJECT}</tool_call>',
    "execute_tool": f"<execute_tool>{CALL}</execute_tool>",
    "angle brackets": f"<<<TOOL_CALL>>>{CALL}<<<END_TOOL_CALL>>>",
    "object in parentheses": f"search_logs({OBJECT})",
    "assignment": f"logs = {KWARGS}",
    "await": f"await functions.{KWARGS}",
    "json fence": f"```json\n{CALL}\n```",
    "plain fence": f"```\n{KWARGS}\n```",
    "fence on one line": f"```json {CALL}```",
    "dsml with the second bar only": DSML.replace("<｜DSML", "<DSML").replace("</｜DSML", "</DSML"),
    "dsml with double bars": DSML.replace("｜", "｜｜"),
    "dsml with spaces": DSML.replace("｜DSML｜", " ｜ DSML ｜ "),
    "qwen coder with spaces": FUNCTION.replace("=", " = "),
    "python start": f"<|python_start|>[{KWARGS}]<|python_end|>",
    "list before an end token": f"<|assistant|>[{KWARGS}]<|eot_id|>",
    "json before an end token": f"[{CALL}]<|end|>",
    "role token": f"<|assistant|>search_logs\n{OBJECT}",
    "recipient token": f"<|recipient|>search_logs<|content|>{OBJECT}<|stop|>",
    "function comma": f"<function=search_logs,{OBJECT}></function>",
    "function parentheses": f"<function=search_logs({OBJECT})></function>",
    "tool_code print": f"<tool_code>\nprint({KWARGS})\n</tool_code>",
    "longcat": f"<longcat_tool_call>search_logs\n{PAIRS}\n</longcat_tool_call>".replace("arg_", "longcat_arg_"),
    "underscores": FUNCTION.replace("<", "<__").replace("<__/", "</__"),
    "cdata": INVOKE.replace(">checkout<", "><![CDATA[checkout]]><"),
    "react numbered": f"Action 1: search_logs\nAction Input 1: {OBJECT}",
    "method and params": f'{{"method": "search_logs", "params": {OBJECT}}}',
    "json rpc": f'{{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {CALL}}}',
    "next action": f'{{"next_action": "search_logs", "parameters": {OBJECT}}}',
    "tool params": f'{{"tool_name": "search_logs", "tool_params": {OBJECT}}}',
    "name as type": '{"type": "search_logs", "service": "checkout", "query": "error"}',
    "responses item": f'{{"type": "function_call", "call_id": "c1", "name": "search_logs", "arguments": {ESCAPED}}}',
    "bedrock": f'{{"toolUse": {{"toolUseId": "t1", "name": "search_logs", "input": {OBJECT}}}}}',
    "constant": f"const logs = await {KWARGS};",
    "executor": f'call_tool("search_logs", {OBJECT})',
    "mention": f"@{KWARGS}",
    "react quoted": f'Action: "search_logs"\nAction Input: {OBJECT}',
    "react heading": f"### Action: search_logs\n### Action Input: {OBJECT}",
    "react on one line": f"Action: search_logs Action Input: {OBJECT}",
    "invoke with spaces": INVOKE.replace("name=", "name = "),
    "inputs json": f'{{"function_name": "search_logs", "inputs": {OBJECT}}}',
    "use_tool": f'{{"use_tool": {CALL}}}',
    "thought before": f"<think>I look.</think>\n<tool_call>{CALL}</tool_call>",
    "thought around": f"<think>I look. <tool_call>{CALL}</tool_call></think>",
}
"""Calls of ``search_logs`` with ``ARGUMENTS``."""

IN_A_SENTENCE: dict[str, str] = {
    "name and object": f"I look now.\n\nsearch_logs: {OBJECT}",
    "within a sentence": f"I look at the logs with {KWARGS}.",
    "calling with": f"Calling search_logs with {OBJECT}",
    "only quoted": f"> search_logs {OBJECT}",
    "in brackets": f"[Called search_logs with arguments {OBJECT}]",
    "tool call in brackets": f"[Tool call: search_logs({OBJECT})]",
    "ornaments": f"✿FUNCTION✿: search_logs\n✿ARGS✿: {OBJECT}\n✿RESULT✿",
    "list after a token": f"<|tool_call_start|>[{KWARGS}]<|tool_call_end|>",
    "code at the end": f"I look now. `{KWARGS}`",
    "label and code": f"**Tool call:** `{KWARGS}`",
    "unknown tag": f"<execute>{KWARGS}</execute>",
    "tool and input": f"<tool>search_logs</tool><input>{OBJECT}</input>",
    "arguments as attribute": f"<function_call name=\"search_logs\" arguments='{OBJECT}'/>",
    "react with a made-up end": f"Thought: I look.\nAction: search_logs\nAction Input: {OBJECT}\nObservation: 37\n"
    "Thought: I know.\nFinal Answer: 37 errors.",
    "object of an expression": 'await search_logs({service: "checkout", query: "error"})',
    "indented": f"I use:\n\n    {KWARGS}",
    "harmony start": f"<|start|>functions.search_logs<|message|>{OBJECT}",
    "javascript": f"```javascript\nconst logs = await {KWARGS};\nconsole.log(logs);\n```",
    "argument of an executor": f'await client.call_tool(name="search_logs", arguments={OBJECT})',
}
"""Calls of ``search_logs`` with ``ARGUMENTS`` in texts that have no more than a sentence beside them."""

UNREADABLE: dict[str, str] = {
    "another tool": '<tool_call>{"name": "find_bugs", "arguments": {}}</tool_call>',
    "another tool in k2": f"{BEGIN}functions.find_bugs:3{ARGUMENT}{{}}{END}",
    "another tool as json": '{"name": "find_bugs", "parameters": {}}',
    "several other tools": '{"name": "a", "arguments": {}}\n{"name": "b", "arguments": {}}',
    "another function": "<function=find_bugs><parameter=a>1</parameter></function>",
    "required argument missing": '<tool_call>{"name": "search_logs", "arguments": {"query": "x"}}</tool_call>',
    "required parameter missing": DSML.replace('<｜DSML｜parameter name="query"', '<｜DSML｜parameter name="minutes"'),
    "unknown argument": CALL.replace('"query": "error"', '"query": "error", "region": "eu"'),
    "another type": CALL.replace('"query": "error"', '"query": 7'),
    "not in the enumeration": '{"name": "page_engineer", "arguments": {"team": "a", "summary": "b", "severity": "p1"}}',
    "over the maximum": CALL.replace('"query": "error"', '"query": "error", "minutes": 99999'),
    "a key twice": 'search_logs({"service": "a", "service": "b", "query": "c"})',
    "positional": 'search_logs("checkout", "error")',
    "an expression as value": 'search_logs(service=name, query="error")',
    "python dictionary": str({"name": "search_logs", "arguments": ARGUMENTS}),
    "arguments are a list": '{"name": "search_logs", "arguments": ["checkout"]}',
    "no arguments": "<tool_call>search_logs</tool_call>",
    "parameter without an end": "<function=search_logs>\n<parameter=service> checkout\n<parameter=query> error",
    "prose as argument": f"{BEGIN}functions.search_logs:0 and then{ARGUMENT}{OBJECT}{END}",
    "only the name": "Action: search_logs",
    "flags": "search_logs --service checkout --query error",
    "slash command": "/search_logs service=checkout query=error",
    "flags before words": "search_logs --service checkout --query error\n\nI wait for the result.",
    "keys without quotes": '{name: "search_logs", arguments: {service: "checkout", query: "error"}}',
    "curly quotes": "{“name”: “search_logs”, “arguments”: {“service”: “checkout”}}",
    "escaped quotes": CALL.replace('"', '\\"'),
    "encoded json": f'"{CALL}"'.replace('"', '\\"'),
    "equals signs": CALL.replace(":", "="),
    "comma at the end": CALL.replace("}}", ",}}"),
    "a line end in a string": CALL.replace("error", "err\nor"),
    "a brace too few": CALL[:-1],
    "a brace too many before": f"<tool_call>{{{CALL}</tool_call>",
    "unknown python tag": '<|python_tag|>find_bugs.call(query="x")<|eom_id|>',
    "unknown channel": '<|channel|>commentary to=container.exec code<|message|>{"cmd": ["ls"]}<|call|>',
    "only pairs": f"{PAIRS}\n</tool_call>",
    "cut in a token": "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁s",
    "cut before a name": "<|tool_calls_section_begin|><|tool_call_beg",
    "only a section": "<|tool_calls_section_begin|> <|tool_calls_section_end|>",
    "only an end": END,
    "only a beginning": "<tool_call>\n",
    "a made-up result": '<tool_response>\n{"healthy": true}\n</tool_response>\nCheckout is healthy.',
    "json before words": f"{CALL} is what I would run",
}
"""Calls that cannot run: they name no tool, or their arguments are not certain or do not fit."""
