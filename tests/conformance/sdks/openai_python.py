"""The published Python SDK against a gateway: what it sees, as one JSON object. The test says beforehand what the model answers."""

import json
import os

from openai import APIStatusError, OpenAI

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

with client.responses.stream(model="openclaw", input="go") as stream:
    seen["response"] = [event.delta for event in stream if event.type == "response.output_text.delta"]
    seen["status"] = stream.get_final_response().status


def refused(**more):
    try:
        client.with_options(**more).chat.completions.create(model="openclaw", messages=user)
    except APIStatusError as error:
        return [error.status_code, error.code]


seen["key"] = refused(api_key="wrong")
# With the key that the SDK gives each request, its second try is another run of the same request.
answer = client.with_options(max_retries=2).chat.completions.create(model="openclaw", messages=user)
seen["retried"] = answer.choices[0].message.content
print(json.dumps(seen))
