// The shapes of the wire that the page reads, named as in docs/methods.md. A module of types alone.

/** @typedef {{ protocol: number, server: { version: string, connId: string }, features: { methods: string[], events: string[] }, snapshot: { presence: object[], uptimeMs: number }, auth: { role: string, scopes: string[], deviceToken?: string }, policy: { maxPayload: number, tickIntervalMs: number, attachments: { maxBytes: number, maxImageBytes: number } } }} Hello */
/** @typedef {{ key: string, sessionId: string, agentId: string, kind: string, updatedAt: number, label?: string, displayName?: string, derivedTitle?: string, lastMessagePreview?: string, channel?: string, status?: string, hasActiveRun: boolean, lastRunId?: string, startedAt?: number, modelOverride?: string, modelProvider?: string, model?: string, thinkingLevel?: string, archived: boolean, pinned: boolean, unread: boolean, isMain: boolean, totalTokens?: number, lastInteractionAt?: number, activeRunIds?: string[] }} SessionRow */
/** @typedef {{ type: string, text?: string, thinking?: string, id?: string, name?: string, arguments?: unknown, url?: string, mimeType?: string, alt?: string, fileName?: string, attachment?: { url: string, kind: string, label: string, mimeType?: string, sizeBytes?: number } }} Block */
/** @typedef {{ role: string, content: string | Block[], timestamp: number, idempotencyKey?: string, provider?: string, model?: string, stopReason?: string, errorMessage?: string, senderLabel?: string, toolCallId?: string, toolName?: string, isError?: boolean, excludeFromContext?: boolean, openclawAbort?: { origin: string }, __openclaw: { id: string, seq: number, runId?: string, kind?: string, userId?: string } }} Row */
/** @typedef {{ runId: string, text: string, startedAt: number, seq: number }} InFlightRun */
/** @typedef {{ sessionKey: string, sessionId?: string, messages?: Row[], hasMore: boolean, nextOffset?: number, totalMessages: number, deltaCursor: string, inFlightRun?: InFlightRun, sessionInfo?: SessionRow }} History */
/** @typedef {{ kind: "delta", messages: { message: Row }[], deltaCursor: string, inFlightRun?: InFlightRun, sessionInfo: SessionRow }} Delta */
/** @typedef {{ id: string, name: string, provider: string, reasoning?: boolean, alias?: string, available?: boolean, tags?: string[], thinkingLevels?: { id: string, label: string }[], input?: string[] }} Model */
/** @typedef {{ name: string, textAliases?: string[], description: string, acceptsArgs: boolean, args?: { name: string, description: string, required?: boolean, choices?: { value: string, label?: string }[] }[] }} Command */
/** @typedef {{ id: string, name?: string, identity?: { name?: string, emoji?: string }, model?: { primary: string } }} Agent */
/** @typedef {{ type?: string, mimeType: string, fileName: string, content: string }} Attachment */

export {};
