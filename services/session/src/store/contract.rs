//! What every store must do, whatever it is made of. An implementation's test calls [`all`] with a way to open an empty
//! store; the first half of the pair is whatever must outlive it.

mod admission;
mod counted;
mod filters;
mod forks;
mod hooks;
mod kept;
mod life;
mod lists;
mod nodes;
mod posts;
mod programs;
mod queue;
mod recovery;
mod schedules;
mod steps;
mod taken_back;
mod transcripts;
mod turns;

use gatehouse_core::Content;
use jiff::tz::TimeZone;

use super::*;
use crate::id::{EntryId, Owner, RunId, SessionId};
use crate::key::SessionKey;
use crate::stop::StopReason;
use crate::turns::queue::{DropPolicy, QueueMode, QueueRule};
use crate::viewer::Viewer;

const T0: Timestamp = Timestamp::from_ms(1_800_000_000_000);

/// Runs the suite, each part on a store of its own.
pub(crate) async fn all<G>(open: impl AsyncFn() -> (G, Stores)) {
    macro_rules! each {
        ($($part:path),* $(,)?) => { $( { let (_keep, store) = open().await; $part(&store).await; } )* };
    }
    each!(
        admission::a_message_its_turn_and_its_session_are_stored_together,
        admission::a_repeat_is_known_and_another_message_under_its_key_is_a_conflict,
        admission::a_session_made_by_its_key_belongs_to_the_first_chat_that_speaks_in_it,
        admission::a_platform_message_is_taken_once,
        admission::a_message_for_a_free_session_begins_in_the_commit_that_takes_it,
        turns::one_turn_of_a_session_runs_at_a_time_and_in_order,
        turns::a_turn_ends_once,
        turns::a_reply_is_kept_with_all_that_it_says,
        turns::the_reply_of_a_turn_waits_for_the_bridge,
        turns::the_end_of_a_turn_begins_the_next_in_the_same_commit,
        turns::what_waits_and_runs_is_counted_with_the_oldest,
        turns::the_outlook_tells_what_waits_and_what_others_hold,
        programs::what_a_program_brings_is_kept_until_its_turn_has_ended,
        programs::a_session_that_is_not_kept_is_over_some_time_after_its_last_turn,
        queue::what_waits_together_is_answered_together_but_never_across_chats,
        queue::collected_messages_wait_for_a_quiet_moment,
        queue::an_interrupting_message_ends_what_waits_and_stops_what_runs,
        queue::a_full_queue_refuses_or_gives_up_the_oldest,
        queue::in_a_full_queue_of_a_chat_two_messages_are_answered_together,
        queue::no_more_messages_are_answered_together_than_a_model_reads,
        recovery::the_turns_of_a_dead_owner_run_again_once_or_end_with_what_was_shown,
        recovery::the_text_in_flight_is_that_of_the_last_attempt_and_goes_with_the_turn,
        recovery::a_turn_is_given_back_as_often_as_the_limits_allow,
        recovery::a_living_turn_is_not_taken_for_a_dead_one_whatever_the_clock_does,
        recovery::a_lease_from_before_the_clock_was_set_back_ends_in_the_usual_time,
        recovery::nothing_waits_for_a_clock_that_was_set_back,
        recovery::a_lease_that_ended_is_lost,
        steps::the_rows_of_a_turn_stand_in_their_order_and_its_end_comes_last,
        steps::a_step_that_is_there_is_not_added_again,
        steps::whoever_lost_the_lease_records_nothing,
        steps::what_was_recorded_is_in_flight_no_more_and_outlives_its_process,
        steps::a_turn_that_recorded_an_effect_is_never_run_again,
        steps::whoever_is_to_stop_records_what_happened_and_a_dead_transcript_takes_nothing,
        transcripts::a_page_of_history_is_bounded_and_a_cursor_brings_what_is_new,
        transcripts::a_reset_begins_a_new_transcript,
        transcripts::what_a_dead_transcript_has_to_say_is_not_said_into_the_new_one,
        life::the_first_message_behind_a_silence_begins_a_new_transcript,
        life::old_sessions_are_forgotten_and_never_one_that_is_needed,
        life::old_sessions_make_room_until_the_store_has_what_it_may,
        lists::a_list_is_filtered_paged_and_counted,
        filters::a_list_is_of_what_is_pinned_grouped_active_or_no_job,
        lists::a_label_is_unique,
        lists::a_session_is_forgotten_with_its_rows,
        lists::old_rows_are_forgotten_and_young_ones_kept,
        lists::the_context_knows_what_waits_and_what_was_merged,
        nodes::what_a_node_offers_waits_for_an_answer_and_more_asks_again,
        nodes::a_node_is_named_seen_and_forgotten_with_what_waited_for_it,
        nodes::a_key_is_its_askers_own_on_one_node,
        nodes::an_invocation_ends_once_and_a_repeat_is_told_how,
        nodes::what_waits_for_a_node_is_bounded_ordered_and_ends_with_its_time,
        nodes::what_is_put_off_waits_for_the_foreground_alone,
        nodes::what_ran_when_the_process_ended_is_lost_and_what_waited_waits_on,
        nodes::old_invocations_are_forgotten_and_results_before_them,
        counted::turns_are_listed_first_those_that_live_then_those_that_ended_last,
        counted::usage_is_counted_by_session_day_and_model,
        forks::a_fork_begins_with_what_was_said_and_nothing_is_counted_twice,
        forks::a_fork_ends_at_the_row_that_is_named_and_what_a_person_said_is_left_to_be_said_anew,
        forks::what_runs_or_waits_is_in_no_fork,
        forks::a_repeated_fork_is_the_same_and_its_key_makes_no_other,
        forks::a_row_is_found_by_its_id_in_the_transcript_that_is_there_now,
        forks::the_answers_of_the_current_transcript_are_listed_with_their_cost_the_oldest_first,
        forks::sessions_are_found_by_id_or_by_the_end_of_their_key_and_counted_by_agent,
        taken_back::what_is_stopped_in_one_chat_goes_on_in_the_others,
        taken_back::a_reply_that_is_taken_back_is_handed_to_nobody,
        taken_back::what_steers_the_turn_at_work_is_answered_by_it_behind_what_it_had_said,
        hooks::what_comes_by_a_hook_is_claimed_at_once_and_a_repeat_is_told_its_runs,
        hooks::an_event_that_waits_already_is_one_and_what_is_over_is_gone,
        hooks::more_than_a_thousand_events_do_not_wait,
        hooks::jobs_that_may_not_run_keep_no_event_waiting,
        posts::what_a_program_is_to_be_told_waits_until_it_was_told_or_is_given_up,
        schedules::a_slot_is_claimed_once_and_leaves_its_claim_once,
        schedules::of_what_was_missed_one_slot_runs_and_each_has_a_row,
        schedules::a_slot_that_comes_while_the_run_before_it_goes_on_is_skipped,
        schedules::what_was_due_before_a_change_is_decided_by_the_schedule_before_it,
        schedules::a_job_that_fails_rests_longer_each_time_and_its_chat_is_told_once,
        schedules::a_job_that_runs_once_is_over_when_it_went_well_and_is_tried_again_when_not,
        schedules::what_is_removed_leaves_its_history_and_no_claim,
        schedules::a_run_by_hand_is_beside_the_schedule_and_waits_for_nobody,
        schedules::a_clock_that_was_set_back_leaves_no_job_behind_and_runs_no_slot_twice,
        kept::media_are_kept_within_their_bound_and_forgotten_when_nothing_names_them,
        kept::a_group_that_is_renamed_or_deleted_takes_its_sessions_along,
    );
}

/// Opens a store that its last owner may still be closing.
pub(crate) async fn reopen<S>(open: impl AsyncFn() -> Result<S, Error>) -> S {
    for _ in 0..500 {
        if let Ok(store) = open().await {
            return store;
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    open().await.unwrap()
}

fn key(rest: &str) -> SessionKey {
    SessionKey::parse(&format!("agent:main:{rest}")).unwrap()
}

fn run(id: &str) -> RunId {
    RunId::new(id)
}

fn chat(to: &str) -> Target {
    Target {
        channel: "irc".into(),
        account_id: "home".into(),
        to: to.into(),
        thread_id: None,
        reply_to_id: None,
    }
}

fn row(role: Role, text: &str, run: Option<&str>, now: Timestamp) -> NewEntry {
    NewEntry {
        id: EntryId::generate(),
        role,
        content: crate::rows::plain(text),
        preview: text.to_owned(),
        timestamp: now,
        run: run.map(RunId::new),
        boundary: false,
        in_context: true,
        extra: EntryExtra::default(),
    }
}

fn admission(key: &SessionKey, run: &str, text: &str) -> Admission {
    Admission {
        key: key.clone(),
        run: RunId::new(run),
        entry: row(Role::User, text, Some(run), T0),
        fingerprint: text.as_bytes().to_vec(),
        queue: QueueRule {
            mode: QueueMode::Followup,
            quiet_ms: 500,
            cap: 20,
            drop: DropPolicy::New,
        },
        reply: Reply::Clients,
        viewer: Viewer::Owner,
        seed: Seed::default(),
        expected_session: None,
        sender: None,
        inbound: None,
        model: None,
        thinking: None,
        task: None,
        brought: Brought::default(),
        life: None,
        timeout_ms: None,
        trace: gatehouse_core::trace::Context::new(),
        now: T0,
    }
}

fn mode(admission: Admission, mode: QueueMode) -> Admission {
    Admission {
        queue: QueueRule {
            mode,
            ..admission.queue
        },
        ..admission
    }
}

async fn admit(store: &Stores, admission: Admission) -> NewTurn {
    match store.turns.admit(admission, None).await.unwrap() {
        Admitted::New(new) => *new,
        Admitted::Known(turn) => panic!("{} was known", turn.run),
    }
}

/// Says something and stores it.
pub(crate) async fn say(store: &Stores, key: &SessionKey, run: &str, text: &str) -> NewTurn {
    admit(store, admission(key, run, text)).await
}

fn finish(run: &str, owner: &Owner, state: TurnState, text: &str) -> Finish {
    Finish {
        summary: None,
        run: RunId::new(run),
        owner: owner.clone(),
        state,
        entry: Some(row(Role::Assistant, text, Some(run), T0.plus_ms(5))),
        reply: Some(Content::text(text)),
        stop_reason: Some(StopReason::Stop),
        error: None,
        usage: Some(Tokens { input: 3, output: 4 }),
        answered_by: Some(("p".into(), "m".into())),
        now: T0.plus_ms(5),
    }
}

fn lease(owner: &Owner, until: Timestamp) -> Lease {
    Lease {
        owner: owner.clone(),
        until,
    }
}

async fn claim(store: &Stores, owner: &Owner, now: Timestamp) -> Option<RunId> {
    let claimed = store
        .turns
        .claim(lease(owner, now.plus_ms(15_000)), now)
        .await
        .unwrap()?;
    Some(claimed.turn.run)
}

pub(crate) fn query(limit: u32, offset: u32) -> HistoryQuery {
    HistoryQuery {
        limit,
        offset,
        after: None,
        bytes_max: 1 << 20,
    }
}
