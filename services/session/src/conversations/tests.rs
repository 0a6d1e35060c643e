use gatehouse_core::error::Failure;
use gatehouse_core::{Caller, Kind};
use gatehouse_proto::session::v1::conversation_service_server::ConversationService;
use gatehouse_proto::session::v1::*;
use tonic::{Request, Response, Status};

use super::*;
use crate::commands::{self, Speaker};
use crate::error::Error;
use crate::id::RunId;
use crate::key::SessionKey;
use crate::media::Attachments;
use crate::rows::text_of;
use crate::sessions::{ForkFrom, SessionPatch, SessionRecord};
use crate::testing::{Bench, Running, key, message};
use crate::transcripts::{Entry, HistoryQuery};
use crate::turns::grpc as turns;
use crate::viewer::Viewer;

mod search;

fn grpc(bench: &Bench, running: &Running) -> Grpc {
    Grpc::new(
        running.engine.clone(),
        running.recall.clone(),
        bench.agent.service(),
    )
}

fn refusal<T: std::fmt::Debug>(answer: Result<Response<T>, Status>) -> (Kind, Option<String>) {
    let failure = Failure::from_status(&answer.unwrap_err());
    (failure.kind, failure.reason.map(|reason| reason.to_string()))
}

async fn rows(running: &Running, of: &SessionKey) -> (SessionRecord, Vec<Entry>) {
    let query = HistoryQuery {
        limit: 50,
        offset: 0,
        after: None,
        bytes_max: 1 << 20,
    };
    let transcripts = &running.engine.stores().transcripts;
    let page = transcripts.history(of, query).await.unwrap();
    (page.session.unwrap(), page.entries)
}

/// Says something and lets the fake answer it.
async fn exchange(bench: &mut Bench, running: &mut Running, run: &str, text: &str, reply: &str) {
    running.engine.submit(message(run, text)).await.unwrap();
    let call = bench.call().await;
    call.text(reply).await;
    call.done().await;
    running.end_of(run).await;
}

fn fork_at(id: &str) -> Request<ForkSessionRequest> {
    Request::new(ForkSessionRequest {
        session_key: "main".to_owned(),
        agent_id: None,
        entry_id: id.to_owned(),
    })
}

fn compact() -> Request<CompactSessionRequest> {
    Request::new(CompactSessionRequest {
        key: "main".to_owned(),
        agent_id: None,
    })
}

#[tokio::test]
async fn a_fork_begins_with_what_was_said_before_a_message_and_hands_it_back_to_be_written_anew() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let grpc = grpc(&bench, &running);
    exchange(&mut bench, &mut running, "r1", "one", "first").await;
    exchange(&mut bench, &mut running, "r2", "two", "second").await;
    let (source, entries) = rows(&running, &key("main")).await;

    let before = grpc.fork_session(fork_at(entries[2].row.id.as_str())).await;
    let whole = grpc.fork_session(fork_at(entries[3].row.id.as_str())).await;

    let before = before.unwrap().into_inner();
    assert_eq!(before.editor_text.as_deref(), Some("two"));
    let fork = SessionKey::parse(&before.session_key).unwrap();
    let (session, copied) = rows(&running, &fork).await;
    let said: Vec<_> = copied
        .iter()
        .map(|entry| (entry.seq, text_of(&entry.row.content)))
        .collect();
    assert_eq!(said, [(1, "one".to_owned()), (2, "first".to_owned())]);
    assert_eq!(session.parent, Some(key("main")));
    assert_eq!(session.derived_title, source.derived_title);
    assert!(
        copied.iter().all(|entry| entry.row.extra.usage.is_none()),
        "what was paid once is counted once"
    );
    let whole = whole.unwrap().into_inner();
    assert_eq!(whole.editor_text, None);
    let whole = SessionKey::parse(&whole.session_key).unwrap();
    assert_eq!(rows(&running, &whole).await.1.len(), 4);

    // It goes on from there, and its model reads what was taken over.
    let mut next = message("r3", "three");
    next.key = fork;
    running.engine.submit(next).await.unwrap();
    let call = bench.call().await;
    assert_eq!(call.texts(), ["one", "first", "three"]);
    call.done().await;
    running.end_of("r3").await;
    assert_eq!(
        rows(&running, &key("main")).await.1.len(),
        4,
        "the source stays as it is"
    );
}

#[tokio::test]
async fn what_still_runs_is_not_forked_and_what_came_before_it_is() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let grpc = grpc(&bench, &running);
    exchange(&mut bench, &mut running, "r1", "one", "first").await;
    running.engine.submit(message("r2", "two")).await.unwrap();
    let call = bench.call().await;
    let (_, entries) = rows(&running, &key("main")).await;
    let begin = async |from: ForkFrom| {
        let patch = SessionPatch::default();
        fork(
            &running.engine,
            &Viewer::Owner,
            &key("main"),
            &key("fork"),
            from,
            patch,
            None,
        )
        .await
    };

    let all = begin(ForkFrom::End).await;
    assert!(matches!(all, Err(Error::RunActive(_))));
    let sessions = &running.engine.stores().sessions;
    assert!(sessions.find(&key("fork")).await.unwrap().is_none());
    let completed = begin(ForkFrom::LastCompleted).await.unwrap();
    let before = grpc.fork_session(fork_at(entries[2].row.id.as_str())).await;
    let unknown = grpc.fork_session(fork_at("nothing")).await;

    assert_eq!(completed.session.last_seq, 2);
    assert_eq!(before.unwrap().into_inner().editor_text.as_deref(), Some("two"));
    assert_eq!(
        refusal(unknown),
        (Kind::NotFound, Some("message-not-found".to_owned()))
    );
    call.done().await;
}

#[tokio::test]
async fn a_fork_of_a_compacted_conversation_is_read_from_its_summary_on() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let grpc = grpc(&bench, &running);
    exchange(&mut bench, &mut running, "r0", "before a reset", "gone").await;
    crate::sessions::reset(&running.engine, &key("main"), None, None)
        .await
        .unwrap();
    exchange(&mut bench, &mut running, "r1", "one", "first").await;
    let (summed, ()) = tokio::join!(grpc.compact_session(compact()), async {
        let call = bench.call().await;
        call.text("They said one.").await;
        call.done().await;
    });
    assert!(summed.unwrap().into_inner().compacted);

    let patch = SessionPatch::default();
    let (source, new) = (key("main"), key("fork"));
    fork(
        &running.engine,
        &Viewer::Owner,
        &source,
        &new,
        ForkFrom::End,
        patch,
        None,
    )
    .await
    .unwrap();

    let context = |of: SessionKey| {
        let transcripts = running.engine.stores().transcripts.clone();
        async move {
            let rows = transcripts.context(&of, 50).await.unwrap();
            rows.into_iter()
                .map(|row| text_of(&row.content))
                .collect::<Vec<_>>()
        }
    };
    assert_eq!(context(key("main")).await, ["They said one."]);
    assert_eq!(context(key("fork")).await, ["They said one."]);
}

#[tokio::test]
async fn a_compaction_is_answered_when_the_summary_stands() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let grpc = grpc(&bench, &running);
    let nothing = grpc.compact_session(compact()).await.unwrap().into_inner();
    assert_eq!(
        (nothing.ok, nothing.compacted, nothing.reason.as_deref()),
        (true, false, Some("no sessionId"))
    );
    exchange(&mut bench, &mut running, "r1", "one", "first").await;

    let (done, meanwhile) = tokio::join!(grpc.compact_session(compact()), async {
        let call = bench.call().await;
        let meanwhile = grpc.compact_session(compact()).await;
        call.text("They said one.").await;
        call.done().await;
        meanwhile
    });

    let done = done.unwrap().into_inner();
    assert!(done.ok && done.compacted && done.reason.is_none(), "{done:?}");
    assert_eq!(
        refusal(meanwhile),
        (Kind::Precondition, Some("run-active".to_owned()))
    );
}

#[tokio::test]
async fn a_run_is_stopped_by_its_id_alone() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let grpc = grpc(&bench, &running);
    let stop = async |key: Option<&str>, run: Option<&str>| {
        let request = AbortSessionRequest {
            key: key.map(str::to_owned),
            run_id: run.map(str::to_owned),
            agent_id: None,
        };
        grpc.abort_session(Request::new(request)).await
    };
    running.engine.submit(message("r1", "one")).await.unwrap();
    let call = bench.call().await;

    let stopped = stop(None, Some("r1")).await.unwrap().into_inner();

    call.cancelled().await;
    assert_eq!(
        (stopped.aborted_run_id.as_deref(), stopped.status.as_str()),
        (Some("r1"), "aborted")
    );
    running.end_of("r1").await;
    for (key, run) in [(None, Some("r1")), (Some("main"), None), (None, Some("x"))] {
        let idle = stop(key, run).await.unwrap().into_inner();
        assert_eq!(
            (idle.aborted_run_id, idle.status.as_str()),
            (None, "no-active-run")
        );
    }
    assert_eq!(refusal(stop(None, None).await).0, Kind::Invalid);
}

#[tokio::test]
async fn several_sessions_are_changed_by_one_call_and_one_refusal_keeps_no_other_from_it() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let grpc = grpc(&bench, &running);
    exchange(&mut bench, &mut running, "r1", "one", "first").await;
    let target = |key: &str, expected: Option<&str>| PatchTarget {
        key: key.to_owned(),
        agent_id: None,
        expected_session_id: expected.map(str::to_owned),
        expected_lifecycle_revision: None,
    };

    let request = PatchSessionsRequest {
        targets: vec![
            target("nobody", None),
            target("main", Some("another")),
            target("main", None),
        ],
        patch: Some(SessionChanges {
            pinned: Some(true),
            ..SessionChanges::default()
        }),
    };
    let answer = grpc.patch_sessions(Request::new(request)).await.unwrap();

    let outcomes = answer.into_inner().outcomes;
    let told: Vec<_> = outcomes
        .iter()
        .map(|outcome| (outcome.ok, outcome.error.is_some()))
        .collect();
    assert_eq!(told, [(false, true), (false, true), (true, false)]);
    assert!(rows(&running, &key("main")).await.0.pinned_at.is_some());
}

#[tokio::test]
async fn what_a_connection_looks_at_is_told_by_full_keys_each_once() {
    let bench = Bench::new().await;
    let running = bench.run("{}");
    let names = ["main", "agent:main:main", "agent:main:b"];

    let request = SetViewersRequest {
        session_keys: names.map(str::to_owned).to_vec(),
        agent_id: Some("main".to_owned()),
    };
    let seen = grpc(&bench, &running).set_viewers(Request::new(request)).await;

    assert_eq!(
        seen.unwrap().into_inner().session_keys,
        ["agent:main:main", "agent:main:b"]
    );
}

#[tokio::test]
async fn a_row_is_found_by_its_id_and_cut_when_that_is_wanted() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let grpc = grpc(&bench, &running);
    exchange(&mut bench, &mut running, "r1", "one", "a long answer").await;
    let (_, entries) = rows(&running, &key("main")).await;
    let get = async |id: &str, max_chars: Option<i64>| {
        let request = GetMessageRequest {
            session_key: "main".to_owned(),
            agent_id: None,
            message_id: id.to_owned(),
            max_chars,
        };
        let answer = grpc.get_message(Request::new(request)).await;
        answer.unwrap().into_inner()
    };

    let id = entries[1].row.id.to_string();
    let whole = get(&id, None).await;
    let cut = get(&id, Some(6)).await;
    let none = get("nothing", None).await;

    assert!(whole.ok && whole.message.unwrap().content.contains("a long answer"));
    assert!(cut.message.unwrap().content.contains("a long…"));
    assert_eq!(
        (none.ok, none.unavailable_reason.as_deref()),
        (false, Some("not_found"))
    );
}

#[tokio::test]
async fn beside_a_conversation_are_the_models_of_the_agent_service_and_the_commands() {
    let bench = Bench::new().await;
    let running = bench.run("{}");
    let grpc = grpc(&bench, &running);
    let ask = |agent: &str| {
        Request::new(GetChatMetadataRequest {
            agent_id: Some(agent.to_owned()),
            session_key: Some(format!("agent:{agent}:main")),
        })
    };

    let beside = grpc.get_chat_metadata(ask("main")).await.unwrap().into_inner();

    assert_eq!(beside.models[0].id, "m");
    assert!(beside.commands.iter().any(|command| command.name == "verbose"));
    assert_eq!(
        refusal(grpc.get_chat_metadata(ask("ghost")).await).0,
        Kind::NotFound
    );
}

#[tokio::test]
async fn a_session_in_which_nothing_may_be_said_still_takes_commands() {
    let bench = Bench::new().await;
    let running = bench.run("{}");
    let grpc = grpc(&bench, &running);
    let say = async |run: &str, text: &str| {
        let request = SendMessageRequest {
            key: "main".to_owned(),
            message: text.to_owned(),
            idempotency_key: Some(run.to_owned()),
            ..SendMessageRequest::default()
        };
        grpc.send_message(Request::new(request)).await
    };
    let forbidden = async || rows(&running, &key("main")).await.0.settings.forbids_sending();
    let policy = running.engine.policy().unwrap();
    let off = message("r1", "/send off");
    commands::take(&running.engine, &policy, &Speaker::process(), off)
        .await
        .unwrap();
    assert!(forbidden().await);
    let elsewhere = SendMessageRequest {
        key: "mian".to_owned(),
        message: "hello".to_owned(),
        ..SendMessageRequest::default()
    };
    let nowhere = refusal(grpc.send_message(Request::new(elsewhere)).await).1;
    assert_eq!(
        nowhere.as_deref(),
        Some("session-not-found"),
        "a misspelt key makes no session"
    );

    for (run, text) in [("r2", "hello"), ("r3", "/new hello"), ("r4", "/compact")] {
        let refused = refusal(say(run, text).await).1;
        assert_eq!(refused.as_deref(), Some("send-blocked"), "{text}");
    }
    say("r5", "/send on").await.unwrap();

    assert!(!forbidden().await);
}

#[tokio::test]
async fn a_fork_hands_back_what_belonged_to_the_message_that_is_written_anew() {
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let grpc = grpc(&bench, &running);
    let picture = Attachment {
        file_name: Some("cat.png".to_owned()),
        content: Some(data_encoding::BASE64.encode(png)),
        ..Attachment::default()
    };
    let picture = Attachments::read(vec![picture]).unwrap();
    let run = RunId::new("r1");
    turns::say(
        &running.engine,
        None,
        &key("main"),
        "look".to_owned(),
        picture,
        run,
        None,
    )
    .await
    .unwrap();
    let call = bench.call().await;
    call.text("a cat").await;
    call.done().await;
    running.end_of("r1").await;
    exchange(&mut bench, &mut running, "r2", "and now?", "the same").await;
    let (_, entries) = rows(&running, &key("main")).await;

    let anew = grpc.fork_session(fork_at(entries[0].row.id.as_str())).await;
    let later = grpc.fork_session(fork_at(entries[2].row.id.as_str())).await;

    let anew = anew.unwrap().into_inner();
    assert_eq!(anew.editor_text.as_deref(), Some("look"));
    let [attachment] = anew.editor_attachments.as_slice() else {
        panic!("one picture: {:?}", anew.editor_attachments)
    };
    assert_eq!(attachment.mime_type, "image/png");
    assert_eq!(attachment.data, data_encoding::BASE64.encode(png));
    let later = later.unwrap().into_inner();
    assert!(later.editor_attachments.is_empty(), "its row has none");
    let fork = SessionKey::parse(&later.session_key).unwrap();
    let (_, taken_over) = rows(&running, &fork).await;
    assert_eq!(
        taken_over[0].row.content, entries[0].row.content,
        "the picture goes along"
    );
}
