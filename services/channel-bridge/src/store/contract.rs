//! What every store must hold: a function for each promise, by noun. A store lists them with [`suite!`] and a function that
//! opens a new one, and passes.

pub(crate) mod accounts;
pub(crate) mod inbox;
pub(crate) mod outbox;
pub(crate) mod pairing;
pub(crate) mod previews;

macro_rules! suite {
    ($open:path) => {
        $crate::store::contract::suite! { $open;
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
            outbox: a_delivery_is_stored_once,
            outbox: what_a_delivery_says_is_kept_with_all_its_blocks,
            outbox: parts_are_kept_and_the_unsent_ones_remain,
            outbox: what_was_leaving_waits_again_and_is_flagged,
            outbox: an_old_delivery_is_given_up_on,
            outbox: a_stop_that_comes_late_leaves_what_was_said_since,
            outbox: who_lost_the_account_sends_settles_and_changes_nothing,
            previews: a_preview_is_kept_once_for_its_run_until_it_is_forgotten,
            previews: the_receipt_of_the_first_part_forgets_the_preview_of_its_run,
            pairing: three_senders_may_wait_at_one_account_and_no_more,
            pairing: a_request_that_is_dismissed_leaves_its_place_free,
            pairing: an_approval_counts_for_its_account_only,
            pairing: a_repeated_approval_is_answered_the_same,
        }
    };
    ($open:path; $($noun:ident: $name:ident,)+) => {
        mod holds {
            $(
                #[tokio::test]
                async fn $name() {
                    let (_kept, stores) = $open().await;
                    $crate::store::contract::$noun::$name(stores).await;
                }
            )+
        }
    };
}
pub(crate) use suite;
