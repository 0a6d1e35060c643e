//! What every store must hold: a function for each promise, by noun. A store lists them with [`suite!`] and a function that
//! opens a new one, and passes.

pub(crate) mod accounts;
pub(crate) mod inbox;
pub(crate) mod outbox;
pub(crate) mod pace;
pub(crate) mod pairing;
pub(crate) mod previews;
pub(crate) mod reports;
pub(crate) mod rests;

use super::Stores;

/// All parts of the contract, handed to another macro behind what it needs.
macro_rules! every {
    ([$($then:tt)*] $with:tt) => {
        $($then)*! { $with;
            accounts: an_account_belongs_to_one_of_those_who_claim_it_at_once,
            accounts: a_lease_is_kept_by_who_renews_it_and_taken_when_it_is_over,
            accounts: a_lease_that_no_clock_of_now_could_have_given_is_over,
            accounts: what_is_given_back_is_free_at_once,
            accounts: accounts_with_messages_that_wait_are_known,
            accounts: an_account_remembers_what_it_kept_and_no_other_account_does,
            accounts: what_an_account_remembers_is_bounded,
            inbox: a_message_is_stored_once_however_often_and_at_once_it_comes,
            inbox: each_chat_shows_its_oldest_message_first,
            inbox: a_postponed_message_keeps_its_place_in_its_chat,
            inbox: what_is_fetched_of_a_message_stays_with_it_while_it_waits,
            inbox: a_settled_message_is_remembered_until_it_is_pruned,
            inbox: what_session_took_over_can_be_offered_again_for_a_day,
            inbox: an_owner_is_shown_the_messages_of_its_own_accounts_only,
            inbox: what_came_before_a_stop_is_given_up_in_its_chat_alone,
            outbox: a_delivery_is_stored_once,
            outbox: what_a_delivery_says_is_kept_with_all_its_blocks,
            outbox: parts_are_kept_and_the_unsent_ones_remain,
            outbox: what_was_leaving_waits_again_and_is_flagged,
            outbox: an_old_delivery_is_given_up_on,
            outbox: a_stop_that_comes_late_leaves_what_was_said_since,
            outbox: who_lost_the_account_sends_settles_and_changes_nothing,
            previews: a_preview_is_kept_once_for_its_run_until_it_is_forgotten,
            previews: the_receipt_of_the_first_part_forgets_the_preview_of_its_run,
            reports: what_a_platform_says_of_a_message_moves_it_forward_in_any_order_and_however_often,
            reports: what_is_said_of_a_message_before_its_receipt_is_stored_holds_once_it_is,
            rests: a_delivery_waits_until_it_is_settled_or_dropped,
            rests: the_rest_of_an_answer_is_said_once_in_its_chat,
            rests: a_newer_rest_takes_the_place_of_an_older_one_and_a_stop_forgets_it,
            pace: who_answers_without_end_is_paused_and_each_partner_for_itself,
            pace: who_is_paused_is_shown_until_the_pause_ends,
            pace: who_was_not_heard_for_long_is_forgotten_with_the_pause,
            pairing: three_senders_may_wait_at_one_account_and_no_more,
            pairing: a_request_that_is_dismissed_leaves_its_place_free,
            pairing: an_approval_counts_for_its_account_only,
            pairing: a_repeated_approval_is_answered_the_same,
        }
    };
}

macro_rules! suite {
    ($open:ident) => {
        $crate::store::contract::every! { [$crate::store::contract::suite] $open }
    };
    ($open:ident; $($noun:ident: $name:ident,)+) => {
        mod holds {
            $(
                #[tokio::test]
                async fn $name() {
                    let (_kept, stores) = super::$open().await;
                    $crate::store::contract::$noun::$name(stores).await;
                }
            )+
        }
    };
}

/// The whole of it, one part after the other, each with a new store.
macro_rules! run {
    ($open:ident; $($noun:ident: $name:ident,)+) => {
        $(
            let (_kept, stores) = $open().await;
            $noun::$name(stores).await;
        )+
    };
}

pub(crate) async fn all<K>(open: impl AsyncFn() -> (K, Stores)) {
    every! { [run] open }
}

pub(crate) use every;
pub(crate) use suite;
