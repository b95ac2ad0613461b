//! Standing in line for a slot.
//!
//! Invariant: the ticket at the front of the line always belongs to a waiter that keeps a timer for the next moment,
//! or has been woken to set one. Dropping a waiter at any point keeps that true.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::{ENDLESS_PATIENCE, Lane, Line, NoSlot, Pacer};

/// A place in line. The moment is written under the line's lock, when the ticket leaves it.
#[derive(Debug, Default)]
pub(super) struct Ticket {
    granted: OnceLock<Duration>,
    wake: Notify,
}

impl Ticket {
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    fn grant(&self, moment: Duration) {
        if self.granted.set(moment).is_ok() {
            self.wake();
        }
    }
}

/// What a waiter does next.
#[derive(Debug)]
pub(super) enum Step {
    Go,
    TooLate,
    WaitUntil(Instant),
}

/// One caller in line.
#[derive(Debug)]
pub(super) struct Waiter<'a> {
    pacer: &'a Pacer,
    ticket: Arc<Ticket>,
    lane: Lane,
    /// Since the pacer's origin.
    deadline: Duration,
    /// The slot has been used, or the line left: nothing to hand on.
    done: bool,
}

impl<'a> Waiter<'a> {
    /// Joins the line, unless the estimate says at once that it takes too long.
    pub(super) fn enrol(
        pacer: &'a Pacer,
        lane: Lane,
        asked: Instant,
        patience: Duration,
    ) -> Result<Self, NoSlot> {
        let now = asked.saturating_duration_since(pacer.0.origin);
        let deadline = now + patience.min(ENDLESS_PATIENCE);
        let ticket = Arc::new(Ticket::default());
        let mut queue = pacer.line();
        if queue.closed {
            return Err(NoSlot);
        }
        let ahead = match lane {
            Lane::First => queue.first.len(),
            Lane::Deliveries => queue.first.len() + queue.deliveries.len(),
        };
        let spacings = u32::try_from(ahead).unwrap_or(u32::MAX);
        let wait = queue.schedule.spacing(now).saturating_mul(spacings);
        if queue.schedule.next(now).saturating_add(wait) > deadline {
            return Err(NoSlot);
        }
        queue.lane(lane).push_back(Arc::clone(&ticket));
        drop(queue);
        Ok(Self {
            pacer,
            ticket,
            lane,
            deadline,
            done: false,
        })
    }

    /// Hands out what is due, to whomever it is due, and says where this waiter stands then.
    pub(super) fn step(&mut self) -> Step {
        let now = self.pacer.now();
        let mut line = self.pacer.line();
        if !line.closed {
            line.hand_out(now);
        }
        if self.ticket.granted.get().is_some() {
            self.done = true;
            return Step::Go;
        }
        let next = line.schedule.next(now);
        if line.closed || now >= self.deadline || next > self.deadline {
            return Step::TooLate;
        }
        let leads = line
            .front()
            .is_some_and(|front| Arc::ptr_eq(front, &self.ticket));
        drop(line);
        let until = if leads { next } else { self.deadline };
        Step::WaitUntil(self.pacer.instant(until))
    }

    /// Resolves when there is a reason to look again.
    pub(super) async fn woken(&self) {
        self.ticket.wake.notified().await;
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let now = self.pacer.now();
        let mut line = self.pacer.line();
        if let Some(moment) = self.ticket.granted.get() {
            // Handed out and not used. Still fresh, and no pause since: it goes to the next in line.
            let fresh = *moment + line.schedule.grace() >= now;
            if fresh && line.schedule.paused_until(now).is_none() {
                line.grant_front(*moment);
            }
        } else {
            let ticket = &self.ticket;
            let others = line.lane(self.lane);
            others.retain(|other| !Arc::ptr_eq(other, ticket));
        }
        line.wake_front();
    }
}

impl Line {
    fn lane(&mut self, lane: Lane) -> &mut VecDeque<Arc<Ticket>> {
        match lane {
            Lane::First => &mut self.first,
            Lane::Deliveries => &mut self.deliveries,
        }
    }

    fn front(&self) -> Option<&Arc<Ticket>> {
        self.first.front().or_else(|| self.deliveries.front())
    }

    pub(super) fn wake_front(&self) {
        if let Some(front) = self.front() {
            front.wake();
        }
    }

    fn grant_front(&mut self, moment: Duration) -> bool {
        let next = self
            .first
            .pop_front()
            .or_else(|| self.deliveries.pop_front());
        next.is_some_and(|ticket| {
            ticket.grant(moment);
            true
        })
    }

    /// Everything due by `now` goes to those in front. Whoever then is in front is woken to keep the timer.
    fn hand_out(&mut self, now: Duration) {
        let mut moved = false;
        while self.front().is_some() && self.schedule.next(now) <= now {
            let moment = self.schedule.take(now);
            self.usage.started(now);
            moved |= self.grant_front(moment);
        }
        if moved {
            self.wake_front();
        }
    }
}
