//! The conversations API, scenario by scenario: what is set up, what happens and what must come of it stands in
//! `fixtures/conversations/*.toml`; here they are only named and played, by the real service against the simulator.
//!
//! A file has `[simulator]` (a simulator's script), `[service]` (what differs in wrapup.toml) and a list of steps
//! ([`scenario::Step`]). Words stand for ids wherever one is wanted.

mod checked;
mod checks;
mod commands;
mod scenario;
mod stage;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Each file is a test of its name.
macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                stage::play(&folder().join(concat!(stringify!($name), ".toml"))).await;
            }
        )*
    };
}

scenarios! {
    a_token_comes_by_client_credentials,
    the_token_endpoints_disguised_limit_is_a_429,
    a_wrong_secret_opens_the_credentials_breaker,
    the_jwt_grant_works_with_the_conversations_api,
    client_credentials_work_with_the_interaction_api,
    codes_are_asked_for_by_division_a_hundred_at_a_time,
    of_two_codes_with_one_name_the_configured_divisions_is_taken,
    after_a_transfer_the_last_connected_agent_is_wrapped_up,
    the_survey_may_name_the_agent,
    the_survey_may_name_the_queue,
    agent_and_queue_together_choose_one_of_an_agents_legs,
    an_agent_that_was_not_there_is_dead_with_that_reason,
    in_a_conference_the_agent_who_joined_last_is_wrapped_up,
    a_callback_is_wrapped_up_on_the_leg_that_was_connected_last,
    a_consultation_does_not_hide_the_agent_that_the_survey_names,
    every_medium_has_its_path,
    a_conversation_without_an_agent_is_dead_with_that_reason,
    agents_without_a_user_are_dead_with_that_reason,
    an_agent_who_never_answered_is_passed_over,
    a_code_that_stands_there_already_is_not_written_again,
    overwrite_always_replaces_and_keeps_what_was_there,
    overwrite_if_empty_lets_a_strangers_code_stay,
    overwrite_if_empty_counts_our_own_code_as_empty,
    overwrite_if_empty_counts_our_own_code_as_empty_after_a_failed_write,
    notes_are_a_template_over_fields_rule_and_code,
    notes_are_bounded_in_length,
    a_queue_that_does_not_allow_the_code_is_told_before_a_write,
    a_write_that_shows_late_is_not_repeated,
    a_write_that_was_lost_is_repeated_when_it_is_certain,
    a_write_that_arrived_twice_does_no_harm,
    an_answer_that_was_lost_is_looked_for_before_anything_is_repeated,
    a_read_back_that_fails_does_not_repeat_the_write,
    a_wrap_up_that_is_not_found_yet_is_looked_for_again,
    a_conversation_that_goes_on_is_looked_at_later,
    a_conversation_that_is_not_there_is_dead_after_a_second_look,
    two_surveys_about_one_conversation_read_it_once,
    a_missing_permission_is_named_and_holds_the_backlog,
    not_a_user_is_explained_and_holds_the_backlog,
    a_missing_permission_to_read_is_named_too,
    what_support_asks_for_is_kept_with_the_delivery,
    headers_lower_the_pace_before_a_429_comes,
    an_allowance_below_our_limit_replaces_it,
    a_retry_after_of_hours_parks_and_survives_a_restart,
    a_backlog_against_a_strict_window_earns_no_429,
    a_read_that_is_spoilt_is_tried_again,
    whatever_a_2xx_says_the_read_back_decides,
    a_code_that_the_queue_refuses_is_dead_in_the_platforms_words,
    a_conversation_of_another_division_waits_and_holds_nothing_up,
    a_shadow_writes_nothing,
    a_fixed_window_is_kept_as_well,
    where_to_write_is_read_even_if_states_are_not_checked,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/conversations")
}

#[test]
fn every_file_is_played() {
    let files: BTreeSet<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            path.file_stem().unwrap().to_str().unwrap().to_owned()
        })
        .collect();
    let named: BTreeSet<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(files, named);
}
