//! What the platform says of its own counting (`inin-ratelimit-*`), and what follows for the pace. Pure.
//!
//! It can only lower the pace, and for no longer than a window: what the headers allow, if that is less than our
//! limit; and what other clients use of it, which is what they count beyond our own calls.
//!
//! Platforms count in windows that slide, where our calls of the last `per` are ours, or in windows that all end at
//! once, where only those since the beginning are. Which it is, the end tells: one that stands still while time goes
//! on is that of a fixed window. There what is left of the allowance is spread over what is left of the window.
//!
//! Moments are spans since the pacer's origin.

use std::collections::VecDeque;
use std::time::Duration;

use http::HeaderMap;

use crate::platform::RateLimit;

/// `reset` comes in whole seconds, and takes its time on the way.
const RESET_IS_VAGUE: Duration = Duration::from_millis(1_200);
/// An end that stands still for so long is that of a fixed window.
const STANDS_STILL: Duration = Duration::from_secs(4);
/// However little is left beside what others are expected to use, so many calls in a window see whether they do.
const LOOKS_A_WINDOW: u32 = 12;
/// Fewer calls of others than one in so many of the allowance may be our own, counted twice or late.
const NOISE: u32 = 50;

/// The headers of one answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::platform) struct Told {
    /// Calls in the window, this one included.
    pub(in crate::platform) count: Option<u32>,
    pub(in crate::platform) allowed: Option<u32>,
    /// Until the window ends.
    pub(in crate::platform) reset: Option<Duration>,
}

impl Told {
    /// None where the platform says nothing about it.
    pub(in crate::platform) fn read(headers: &HeaderMap) -> Option<Self> {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u32>().ok();
        let told = Self {
            count: number("inin-ratelimit-count"),
            allowed: number("inin-ratelimit-allowed"),
            reset: number("inin-ratelimit-reset").map(|secs| Duration::from_secs(secs.into())),
        };
        (told.count.is_some() || told.allowed.is_some()).then_some(told)
    }
}

/// A slower pace than ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::platform) struct Lowered {
    pub(in crate::platform) spacing: Duration,
    /// Nothing starts before this.
    pub(in crate::platform) not_before: Duration,
    /// It is not heard of again until then: forgotten.
    pub(in crate::platform) until: Duration,
}

/// Our own calls, and what is known of the platform's window.
#[derive(Debug)]
pub(super) struct Usage {
    limit: RateLimit,
    starts: VecDeque<Duration>,
    window: Option<Window>,
    /// What others used of the fixed window before this one: most likely they go on.
    others_before: u32,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    end: Duration,
    /// Since when it was told so.
    since: Duration,
    others: u32,
}

impl Usage {
    pub(super) fn new(limit: &RateLimit) -> Self {
        Self {
            limit: *limit,
            starts: VecDeque::new(),
            window: None,
            others_before: 0,
        }
    }

    /// A call of ours starts.
    pub(super) fn started(&mut self, now: Duration) {
        self.starts.push_back(now);
        // What an answer that is long under way may count, too.
        let horizon = now.saturating_sub(self.limit.per * 2 + self.limit.slack);
        while self.starts.front().is_some_and(|first| *first < horizon) {
            self.starts.pop_front();
        }
    }

    /// An answer to a call that was sent at `sent`. Says what pace follows, if a slower one.
    pub(super) fn heed(&mut self, told: Told, sent: Duration, now: Duration) -> Option<Lowered> {
        let RateLimit {
            requests,
            per,
            slack,
        } = self.limit;
        let allowed = told
            .allowed
            .map_or(requests, |allowed| allowed.min(requests));
        let allowed = allowed.max(1);
        let count = told.count.unwrap_or(0);
        let fixed = told
            .reset
            .and_then(|reset| self.fixed_window(now + reset, now));
        let since = match fixed {
            Some(end) => end.saturating_sub(per + RESET_IS_VAGUE),
            None => sent.saturating_sub(per + slack),
        };
        let own = self
            .starts
            .iter()
            .rev()
            .take_while(|start| **start >= since);
        let own = u32::try_from(own.count()).unwrap_or(u32::MAX);
        let others = count.saturating_sub(own);
        let noise = (allowed / NOISE).max(1);
        let others = if others <= noise { 0 } else { others };
        if let Some(window) = &mut self.window {
            window.others = others;
        }
        // Somewhat more is left to others than they took: they do not keep an even pace.
        let theirs = match others.max(self.others_before) {
            0 => 0,
            some => some.saturating_add(noise),
        };
        let ours = allowed.saturating_sub(theirs).max(1);
        let mut spacing = (per + slack) / ours;
        if let Some(end) = fixed
            && others > 0
        {
            let rest = end.saturating_sub(now);
            let left = allowed.saturating_sub(count);
            let reserved = go_on(others, per, rest).saturating_add(noise);
            let guess = rest / left.saturating_sub(reserved).max(1);
            // A burst early in the window tells no pace; only a call brings the answer that corrects the guess.
            let guess = guess.min(per / LOOKS_A_WINDOW);
            spacing = spacing.max(guess).max(rest / left.max(1));
        }
        // What went out at a faster pace counts, too: the next goes when it has left the window.
        let latest = usize::try_from(ours).unwrap_or(usize::MAX);
        let kept = self.starts.len().checked_sub(latest);
        let kept = kept.and_then(|at| self.starts.get(at));
        let not_before = match fixed {
            None => kept.map_or(Duration::ZERO, |start| *start + per + slack),
            // A fixed window begins anew for all calls at once.
            Some(_) => Duration::ZERO,
        };
        (spacing > (per + slack) / requests.max(1)).then_some(Lowered {
            spacing,
            not_before,
            until: not_before.max(now + per),
        })
    }

    /// The end of the window, if it is one that stands still.
    fn fixed_window(&mut self, end: Duration, now: Duration) -> Option<Duration> {
        if let Some(known) = self.window {
            let over = now + RESET_IS_VAGUE >= known.end;
            let still = end.abs_diff(known.end) <= RESET_IS_VAGUE;
            let stood_still = now.saturating_sub(known.since) >= STANDS_STILL;
            if still && !over {
                return stood_still.then_some(known.end);
            }
            self.others_before = if over && stood_still { known.others } else { 0 };
        }
        self.window = Some(Window {
            end,
            since: now,
            others: 0,
        });
        None
    }
}

/// How many more calls of others are to be expected in what is left of a window.
fn go_on(others: u32, per: Duration, rest: Duration) -> u32 {
    let gone = per.saturating_sub(rest).as_millis().max(1);
    let more = (u128::from(others) * rest.as_millis()).div_ceil(gone);
    u32::try_from(more).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: RateLimit = RateLimit {
        requests: 300,
        per: Duration::from_mins(1),
        slack: Duration::from_millis(50),
    };

    fn secs(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn told(count: usize, allowed: u32, reset: Duration) -> Told {
        Told {
            count: Some(u32::try_from(count).unwrap()),
            allowed: Some(allowed),
            reset: Some(Duration::from_secs(reset.as_secs())),
        }
    }

    #[test]
    fn headers_are_read_where_they_are_numbers() {
        let mut headers = HeaderMap::new();
        assert_eq!(Told::read(&headers), None);
        headers.insert("inin-ratelimit-reset", "7".parse().unwrap());
        assert_eq!(Told::read(&headers), None);
        headers.insert("inin-ratelimit-count", "12".parse().unwrap());
        headers.insert("inin-ratelimit-allowed", "many".parse().unwrap());
        let told = Told::read(&headers).unwrap();
        assert_eq!((told.count, told.allowed), (Some(12), None));
        assert_eq!(told.reset, Some(Duration::from_secs(7)));
    }

    #[test]
    fn an_allowance_below_our_limit_replaces_it_until_the_next_answer() {
        let mut usage = Usage::new(&LIMIT);
        let now = secs(1.0);
        let lowered = usage.heed(told(1, 100, secs(60.0)), now, now).unwrap();
        assert_eq!(
            lowered.spacing,
            Duration::from_millis(600) + Duration::from_micros(500)
        );
        assert_eq!(lowered.until, secs(61.0));
        assert_eq!(usage.heed(told(1, 300, secs(60.0)), now, now), None);
        assert_eq!(
            usage.heed(told(1, 900, secs(60.0)), now, now),
            None,
            "never faster"
        );
    }

    /// Plays two minutes of us at full pace (or the lowered one) with others who call at these moments.
    /// The platform counts in fixed or in sliding windows. Answers how many calls we made, and the fullest window.
    fn play(fixed: bool, others: &[Duration]) -> (usize, usize) {
        let mut others = others.iter().copied().peekable();
        let mut usage = Usage::new(&LIMIT);
        let base = (LIMIT.per + LIMIT.slack) / LIMIT.requests;
        let mut now = secs(0.2);
        let mut all: Vec<Duration> = Vec::new();
        let (mut ours, mut fullest) = (0, 0);
        while now < secs(120.0) {
            while let Some(other) = others.next_if(|other| *other <= now) {
                all.push(other);
            }
            usage.started(now);
            all.push(now);
            ours += 1;
            let begin = if fixed {
                Duration::from_secs(now.as_secs() / 60 * 60)
            } else {
                now.saturating_sub(LIMIT.per)
            };
            let within: Vec<_> = all.iter().filter(|call| **call >= begin).collect();
            fullest = fullest.max(within.len());
            let reset = if fixed {
                (begin + LIMIT.per).saturating_sub(now)
            } else {
                (**within.first().unwrap() + LIMIT.per).saturating_sub(now)
            };
            let heard = usage.heed(told(within.len(), 300, reset), now, now + secs(0.05));
            now = heard.map_or(now + base, |lowered| {
                lowered.not_before.max(now + lowered.spacing)
            });
        }
        (ours, fullest)
    }

    #[test]
    fn our_own_calls_never_lower_the_pace() {
        for fixed in [true, false] {
            let (ours, _) = play(fixed, &[]);
            assert!(ours >= 595, "{ours} calls in two minutes, fixed: {fixed}");
        }
    }

    #[test]
    fn what_others_use_is_left_to_them_before_a_429_comes() {
        for (every, count, least) in [(0.6, 200, 330), (0.3, 400, 130), (0.25, 480, 100)] {
            let others: Vec<_> = (1..=count).map(|n| secs(every) * n).collect();
            for fixed in [true, false] {
                let (ours, fullest) = play(fixed, &others);
                let context = format!("fixed: {fixed}, others every {every} s");
                assert!(fullest <= 300, "{fullest} in a window, {context}");
                assert!(ours >= least, "{ours} calls in two minutes, {context}");
            }
        }
    }

    #[test]
    fn what_a_burst_of_others_leaves_is_used() {
        for (burst, least) in [(100, 250), (200, 75)] {
            let begins = [secs(0.1), secs(60.1)];
            let others: Vec<_> = begins
                .into_iter()
                .flat_map(|begin| std::iter::repeat_n(begin, burst))
                .collect();
            let (ours, fullest) = play(true, &others);
            assert!(fullest <= 300, "{fullest} in a window, {burst} of others");
            assert!(ours >= least, "{ours} calls in two minutes beside {burst}");
        }
    }

    #[test]
    fn a_burst_of_others_is_waited_out_where_our_own_calls_fill_the_rest() {
        let mut usage = Usage::new(&LIMIT);
        // A call every 5 s for a minute, then 60 in 15 s: 70 are in the window when others take 225 of it.
        let calm = (0..12).map(|n| secs(5.0) * n);
        let busy = (0..60).map(|n| secs(60.0) + secs(0.25) * n);
        calm.chain(busy).for_each(|start| usage.started(start));
        let now = secs(75.0);
        let lowered = usage.heed(told(295, 300, secs(3.0)), now, now).unwrap();
        // 69 are left to us: the next goes when only 68 are in the window, at an even pace too early.
        assert!(lowered.not_before >= secs(75.0) + lowered.spacing);
        let window = LIMIT.per + LIMIT.slack;
        let then = lowered.not_before.saturating_sub(window);
        let kept = usage.starts.iter().filter(|start| **start > then);
        let ours = window.as_millis() / lowered.spacing.as_millis();
        assert!(u128::try_from(kept.count()).unwrap() < ours);
    }

    #[test]
    fn a_burst_of_others_slows_us_down_at_once() {
        let limit = RateLimit {
            requests: 50,
            per: secs(2.0),
            slack: Duration::from_millis(50),
        };
        let mut usage = Usage::new(&limit);
        usage.started(secs(9.99));
        let lowered = usage
            .heed(told(21, 50, secs(2.0)), secs(9.99), secs(10.0))
            .unwrap();
        assert_eq!(lowered.spacing, limit.per.saturating_add(limit.slack) / 29);
    }
}
