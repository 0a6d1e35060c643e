"""litellm, which half of all tools in Python speak through, against a gateway: what it sees, as one JSON object. The test says beforehand
what the model answers."""

import json
import os

import litellm

litellm.suppress_debug_info = True
door = {"api_base": os.environ["BASE_URL"], "api_key": os.environ["TOKEN"], "model": "openai/openclaw", "max_retries": 0}
user = [{"role": "user", "content": "go"}]
seen = {}

answer = litellm.completion(**door, messages=user)
seen["whole"] = [answer.choices[0].message.content, answer.choices[0].finish_reason, answer.usage.total_tokens]

chunks = litellm.completion(**door, messages=user, stream=True, stream_options={"include_usage": True})
parts = list(chunks)
seen["stream"] = [text for part in parts if part.choices and (text := part.choices[0].delta.content)]
seen["cost"] = [part.usage.total_tokens for part in parts if getattr(part, "usage", None)]

tool = {"type": "function", "function": {"name": "ls", "parameters": {"type": "object", "properties": {}}}}
answer = litellm.completion(**door, messages=user, tools=[tool], tool_choice="auto")
call = answer.choices[0].message.tool_calls[0]
seen["calls"] = [call.id, call.function.name, call.function.arguments]
results = [*user, answer.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "nothing"}]
seen["called"] = litellm.completion(**door, messages=results, tools=[tool]).choices[0].message.content

picture = [{"type": "text", "text": "what is it?"}, {"type": "image_url", "image_url": {"url": os.environ["PIXEL"]}}]
seen["picture"] = litellm.completion(**door, messages=[{"role": "user", "content": picture}]).choices[0].message.content


def refused(**more):
    try:
        litellm.completion(**{**door, **more}, messages=user)
    except litellm.exceptions.APIError as error:
        return [type(error).__name__, error.status_code]
    except Exception as error:  # its own classes have no common root
        return [type(error).__name__, getattr(error, "status_code", None)]


seen["key"] = refused(api_key="wrong")
seen["model"] = refused(model="openai/openclaw/nobody")
seen["retried"] = litellm.completion(**{**door, "max_retries": 2}, messages=user).choices[0].message.content

seen["broken"] = []
try:
    for part in litellm.completion(**door, messages=user, stream=True):
        if text := part.choices[0].delta.content:
            seen["broken"].append(text)
except Exception:  # which class of its own it is differs by what was said before
    seen["broken"].append("refused")

odd = litellm.completion(**door, messages=user, stream=True)
seen["odd"] = "".join(text for part in odd if (text := part.choices[0].delta.content))

# Somebody who has read enough: the rest goes with the process.
going = litellm.completion(**door, messages=user, stream=True)
seen["left"] = next(text for part in going if (text := part.choices[0].delta.content))
print(json.dumps(seen))
