"""The published Python SDK against a gateway: what it sees, as one JSON object. The test says beforehand what the model answers."""

import json
import os

from openai import APIError, APIStatusError, OpenAI

client = OpenAI(base_url=os.environ["BASE_URL"], api_key=os.environ["TOKEN"], max_retries=0)
user = [{"role": "user", "content": "go"}]
seen = {"models": [model.id for model in client.models.list()]}

answer = client.chat.completions.create(model="openclaw", messages=user)
seen["whole"] = [answer.choices[0].message.content, answer.choices[0].finish_reason, answer.usage.total_tokens]

chunks = client.chat.completions.create(model="openclaw", messages=user, stream=True)
seen["stream"] = [text for chunk in chunks if (text := chunk.choices[0].delta.content)]

tool = {"type": "function", "function": {"name": "ls", "parameters": {"type": "object", "properties": {}}}}
answer = client.chat.completions.create(model="openclaw", messages=user, tools=[tool])
seen["calls"] = [[call.id, call.function.arguments] for call in answer.choices[0].message.tool_calls]
results = [*user, answer.choices[0].message, {"role": "tool", "tool_call_id": "c1", "content": "nothing"}]
seen["called"] = client.chat.completions.create(model="openclaw", messages=results, tools=[tool]).choices[0].message.content

picture = [{"type": "text", "text": "what is it?"}, {"type": "image_url", "image_url": {"url": os.environ["PIXEL"]}}]
answer = client.chat.completions.create(model="openclaw", messages=[{"role": "user", "content": picture}])
seen["picture"] = answer.choices[0].message.content

with client.responses.stream(model="openclaw", input="go") as stream:
    seen["response"] = [event.delta for event in stream if event.type == "response.output_text.delta"]
    seen["status"] = stream.get_final_response().status


def refused(**more):
    try:
        client.with_options(**more).chat.completions.create(model="openclaw", messages=user)
    except APIStatusError as error:
        return [error.status_code, error.code]


seen["key"] = refused(api_key="wrong")
seen["busy"] = refused()
client.chat.completions.create(model="openclaw", messages=user)  # three failures in a row, and the model is left alone for a while
# With the key that the SDK gives each request, its second try is another run of the same request.
answer = client.with_options(max_retries=2).chat.completions.create(model="openclaw", messages=user)
seen["retried"] = answer.choices[0].message.content

chunks = client.chat.completions.create(model="openclaw", messages=user, stream=True)
seen["broken"] = []
try:
    for chunk in chunks:
        if text := chunk.choices[0].delta.content:
            seen["broken"].append(text)
except APIError as error:
    seen["broken"].append(type(error).__name__)

odd = client.chat.completions.create(model="openclaw", messages=user, stream=True)
seen["odd"] = "".join(text for chunk in odd if (text := chunk.choices[0].delta.content))

# Somebody who has read enough.
going = client.chat.completions.create(model="openclaw", messages=user, stream=True)
seen["left"] = next(text for chunk in going if (text := chunk.choices[0].delta.content))
going.close()
print(json.dumps(seen))
