"""python-telegram-bot against our Bot API: what it understands goes to the standard output, as JSON."""

import asyncio
import json
import os

from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup
from telegram.error import BadRequest, RetryAfter

ROOT, TOKEN = os.environ["ROOT"], os.environ["TOKEN"]


async def main():
    told = {}
    bot = Bot(TOKEN, base_url=f"{ROOT}/bot", base_file_url=f"{ROOT}/file/bot")
    async with bot:
        assert bot.username == "gatebot"
        updates = await bot.get_updates(timeout=5, allowed_updates=["message", "callback_query"])
        told["heard"] = [update.message.text for update in updates]
        # What is behind the last one was not acknowledged yet.
        await bot.get_updates(offset=updates[-1].update_id + 1, timeout=0)

        keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Yes", callback_data="yes")]])
        sent = await bot.send_message(7, "<b>Right?</b>", parse_mode="HTML", reply_markup=keyboard)
        await bot.edit_message_text("Well?", chat_id=7, message_id=sent.message_id)
        try:
            await bot.send_message(7, "<b>open", parse_mode="HTML")
        except BadRequest as error:
            told["refused"] = str(error).split(":")[0]
        await bot.send_document(7, b"%PDF-1.7 a letter", filename="letter.pdf", caption="see")
        file = await bot.get_file("a-file")
        told["file"] = (await file.download_as_bytearray()).decode()
        try:
            await bot.send_chat_action(7, "typing")
        except RetryAfter as error:
            told["wait"] = float(getattr(error.retry_after, "total_seconds", lambda: error.retry_after)())
        await bot.set_message_reaction(7, 1, "👀")
        try:
            await bot.send_message(7, "x" * 5000)
        except BadRequest as error:
            told["long"] = str(error)
    print(json.dumps(told))


asyncio.run(main())
