//! Turning answers into figures.

use std::time::Duration;

use crate::load::Answer;

/// The `p`-th percentile (0 to 100) of the times, by nearest rank.
pub fn percentile(times: &mut [Duration], p: usize) -> Duration {
    times.sort_unstable();
    let rank = (times.len() * p).div_ceil(100).clamp(1, times.len());
    times[rank - 1]
}

pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Answers a second; every answer must have the wanted status.
pub fn rate(answers: &[Answer], wanted: u16, took: Duration) -> f64 {
    let odd: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status != Some(wanted))
        .take(3)
        .collect();
    assert!(
        odd.is_empty(),
        "not all were answered with {wanted}: {odd:?}"
    );
    per_second(answers.len(), took)
}

pub fn per_second(count: usize, took: Duration) -> f64 {
    f64::from(u32::try_from(count).unwrap()) / took.as_secs_f64()
}

pub fn line(what: &str, figure: &str, reach: &str) {
    println!("{what:<58} {figure:>28}   {reach}");
}

/// Resident memory of a process in MiB.
pub fn resident_mib(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    kib.trim()
        .trim_end_matches("kB")
        .trim()
        .parse::<f64>()
        .unwrap()
        / 1024.0
}
