//! The Rust handle on a simulator: tell it what to do, ask it what it got, wait for something to happen.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::book::Code;
use super::cases::{Interaction, Standing};
use super::conversations::{self, Conversation};
use super::fault::plan::Listed;
use super::fault::{BadFault, Fault};
use super::limit::Limit;
use super::log::Page;
use super::record::{Call, Operation, Received, Stats};
use super::settings::Api;
use super::world::{Refused, World, lock};

/// Entries fetched at a time where all are asked for.
const PAGE: usize = 10_000;

/// Cloning it shares the simulator.
#[derive(Clone, Debug)]
pub struct Control(Arc<World>);

/// Which assignments are asked for; none of a kind: all.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReceivedFilter<'a> {
    pub interaction: Option<Uuid>,
    /// The code's name.
    pub code: Option<&'a str>,
    /// What the caller was told.
    pub status: Option<u16>,
    /// Whether it took effect.
    pub applied: Option<bool>,
}

impl ReceivedFilter<'_> {
    fn wants(&self, received: &Received) -> bool {
        self.interaction
            .is_none_or(|id| received.interaction == Some(id))
            && self
                .code
                .is_none_or(|code| received.code_name.as_deref() == Some(code))
            && self
                .status
                .is_none_or(|status| received.status == Some(status))
            && self
                .applied
                .is_none_or(|applied| received.applied() == applied)
    }
}

/// What was waited for did not happen in time.
#[derive(Clone, Debug, thiserror::Error)]
pub struct TimedOut {
    pub after: Duration,
    /// How things stood then.
    pub stats: Stats,
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let after = humantime::format_duration(self.after);
        write!(
            f,
            "it did not happen within {after}; the simulator saw {:?}",
            self.stats
        )
    }
}

impl Control {
    pub(super) fn new(world: Arc<World>) -> Self {
        Self(world)
    }

    /// Answers the id that [`Control::remove_fault`] takes.
    pub fn add_fault(&self, fault: Fault) -> Result<u64, BadFault> {
        self.0.add_fault(fault)
    }

    /// Whether it could be added.
    pub fn check_fault(&self, fault: &Fault) -> Result<(), BadFault> {
        self.0.check_fault(fault)
    }

    /// It strikes no more, and lets the calls go on that wait for its latency.
    pub fn remove_fault(&self, id: u64) -> bool {
        lock(&self.0.faults).remove(id)
    }

    /// As [`Control::remove_fault`], for all of them.
    pub fn clear_faults(&self) {
        lock(&self.0.faults).clear();
    }

    pub fn faults(&self) -> Vec<Listed> {
        lock(&self.0.faults).list()
    }

    /// Adds an interaction, or sets it anew.
    pub fn set_interaction(&self, interaction: Interaction) -> Result<(), Refused> {
        self.0.set_interaction(interaction)?;
        self.0.changed.notify_waiters();
        Ok(())
    }

    /// It is unknown from then on.
    pub fn forget_interaction(&self, id: Uuid) -> bool {
        lock(&self.0.cases).forget(id)
    }

    /// As it stands, without counting as a look; none: nobody told of it or wrote to it.
    pub fn interaction(&self, id: Uuid) -> Option<Standing> {
        lock(&self.0.cases).standing(id, Instant::now())
    }

    /// The name of the code on an interaction or conversation, or on its way there.
    pub fn assigned(&self, id: Uuid) -> Option<Arc<str>> {
        let code = match self.0.settings.api {
            Api::Interactions => self.interaction(id)?.code_id?,
            Api::Conversations => self.conversation(id)?.code_id?,
        };
        self.0.name_of(code)
    }

    /// Adds a conversation, or sets it anew.
    pub fn set_conversation(&self, conversation: &Conversation) -> Result<(), Refused> {
        self.0.set_conversation(conversation)?;
        self.0.changed.notify_waiters();
        Ok(())
    }

    /// As it stands, without counting as a look; none: nobody told of it or wrote to it.
    pub fn conversation(&self, id: Uuid) -> Option<conversations::Standing> {
        lock(&self.0.conversations).standing(id, Instant::now())
    }

    /// It is unknown from then on.
    pub fn forget_conversation(&self, id: Uuid) -> bool {
        lock(&self.0.conversations).forget(id)
    }

    /// What the client's roles allow from now on, whatever token it has.
    pub fn set_permissions(&self, permissions: impl IntoIterator<Item = impl Into<String>>) {
        lock(&self.0.access).permissions = permissions.into_iter().map(Into::into).collect();
    }

    /// Takes one permission from the client's roles; false: it had none of that name.
    pub fn revoke_permission(&self, permission: &str) -> bool {
        let mut access = lock(&self.0.access);
        let before = access.permissions.len();
        access.permissions.retain(|held| held != permission);
        access.permissions.len() < before
    }

    /// The permissions in force, and whether a client that is no user may wrap up for an agent.
    pub fn access(&self) -> (Vec<String>, bool) {
        let access = lock(&self.0.access);
        (access.permissions.clone(), access.apps_wrap_up)
    }

    /// Whether a client that is no user may wrap up for an agent.
    pub fn let_apps_wrap_up(&self, allowed: bool) {
        lock(&self.0.access).apps_wrap_up = allowed;
    }

    /// Adds a code, or replaces the one with its id.
    pub fn add_code(&self, code: Code) {
        lock(&self.0.book).put(code);
    }

    /// By name or id; answers how many there were.
    pub fn remove_code(&self, name_or_id: &str) -> usize {
        lock(&self.0.book).remove(name_or_id)
    }

    pub fn codes(&self) -> Vec<Code> {
        lock(&self.0.book).all().to_vec()
    }

    /// The id of a code, by name.
    pub fn code_id(&self, name: &str) -> Option<Uuid> {
        lock(&self.0.book).resolve(name)
    }

    /// The rate limit, the quota and the limit on token requests alone.
    pub fn limits(&self) -> (Limit, Limit, Limit) {
        let meter = lock(&self.0.meter);
        (meter.limit(), meter.quota(), meter.token_limit())
    }

    /// From now on, with an empty window; `limited` and `busiest_window` begin anew.
    pub fn set_limit(&self, limit: Limit) {
        lock(&self.0.meter).set_rate(&self.0.settings, limit);
    }

    /// The limit over a long time, from now on, with an empty window.
    pub fn set_quota(&self, quota: Limit) {
        lock(&self.0.meter).set_quota(&self.0.settings, quota);
    }

    /// The limit on token requests alone, from now on, with an empty window.
    pub fn set_token_limit(&self, limit: Limit) {
        lock(&self.0.meter).set_token_limit(&self.0.settings, limit);
    }

    /// So many calls of somebody else who shares the rate limit, all of them now.
    pub fn others_call(&self, calls: usize) {
        lock(&self.0.meter).others_call(calls, Instant::now());
    }

    /// No token issued until now is accepted any more; answers how many there were.
    pub fn revoke_tokens(&self) -> usize {
        lock(&self.0.tokens).revoke_all()
    }

    /// The scopes of tokens issued from now on.
    pub fn set_scopes(&self, scopes: impl IntoIterator<Item = impl Into<String>>) {
        lock(&self.0.tokens).scopes = scopes.into_iter().map(Into::into).collect();
    }

    /// The life of tokens issued from now on.
    pub fn set_token_lifetime(&self, lifetime: Duration) {
        lock(&self.0.tokens).lifetime = lifetime;
    }

    /// Everything as at the start, script and all.
    pub fn reset(&self) {
        self.0.reset();
    }

    pub fn stats(&self) -> Stats {
        self.0.stats()
    }

    /// Assignments that took effect; cheap enough to be asked often.
    pub fn assigned_count(&self) -> u64 {
        lock(&self.0.tally).assigned
    }

    /// All assignments that were asked for and are remembered, in the order they ended in.
    pub fn received(&self) -> Vec<Received> {
        all(|since| self.received_since(since, PAGE, ReceivedFilter::default()))
    }

    /// Those about one interaction.
    pub fn received_for(&self, interaction: Uuid) -> Vec<Received> {
        let filter = ReceivedFilter {
            interaction: Some(interaction),
            ..ReceivedFilter::default()
        };
        all(|since| self.received_since(since, PAGE, filter))
    }

    /// At most `limit` assignments numbered above `since`. A page can be empty and still have `more`.
    pub fn received_since(
        &self,
        since: u64,
        limit: usize,
        filter: ReceivedFilter<'_>,
    ) -> Page<Received> {
        lock(&self.0.received).page(since, limit, |received| filter.wants(received))
    }

    /// All calls that are remembered, in the order they ended in.
    pub fn calls(&self) -> Vec<Call> {
        all(|since| self.calls_since(since, PAGE, None))
    }

    /// At most `limit` calls numbered above `since`.
    pub fn calls_since(
        &self,
        since: u64,
        limit: usize,
        operation: Option<Operation>,
    ) -> Page<Call> {
        lock(&self.0.calls).page(since, limit, |call| {
            operation.is_none_or(|wanted| call.operation == wanted)
        })
    }

    /// How many assignments and calls are remembered now.
    pub fn remembered(&self) -> (usize, usize) {
        (lock(&self.0.received).len(), lock(&self.0.calls).len())
    }

    /// Waits until `happened` says so. It is asked now, and again after each call and each change.
    pub async fn wait_for(
        &self,
        mut happened: impl FnMut(&Self) -> bool,
        timeout: Duration,
    ) -> Result<(), TimedOut> {
        let deadline = Instant::now() + timeout;
        loop {
            // Listens before it asks, so that nothing slips through in between.
            let changed = self.0.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if happened(self) {
                return Ok(());
            }
            if tokio::time::timeout_at(deadline, changed).await.is_err() {
                return if happened(self) {
                    Ok(())
                } else {
                    Err(TimedOut {
                        after: timeout,
                        stats: self.stats(),
                    })
                };
            }
        }
    }
}

/// Page after page. Between two of them calls go on being recorded; those are taken along.
fn all<T>(page_after: impl Fn(u64) -> Page<T>) -> Vec<T> {
    let mut entries = Vec::new();
    let mut since = 0;
    loop {
        let page = page_after(since);
        entries.extend(page.entries);
        since = page.next;
        if !page.more {
            return entries;
        }
    }
}
