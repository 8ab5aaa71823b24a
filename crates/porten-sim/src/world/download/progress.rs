//! How far a download is, file by file.

use std::time::Duration;

use crate::documents::download::Progress;

/// The small files of a model and their bytes, as of one that was recorded; the weights are the rest.
const SMALL_FILES: [(&str, u64); 4] = [
    ("config.json", 419),
    ("model.safetensors.index.json", 2_486),
    ("tokenizer.json", 53_707),
    ("tokenizer_config.json", 820),
];
const WEIGHTS: &str = "model.safetensors";

/// A model's download with its files: small ones come first.
pub(super) fn progress(total: u64, downloaded: u64, had: u64, past: Duration) -> Progress {
    let small: u64 = SMALL_FILES.iter().map(|(_, bytes)| bytes).sum();
    let mut left = downloaded;
    let sizes = SMALL_FILES.into_iter().chain([(WEIGHTS, total.saturating_sub(small))]);
    let files: Vec<_> = sizes
        .map(|(name, size)| {
            let there = left.min(size);
            left -= there;
            (name.to_owned(), file(size, there, had, past))
        })
        .collect();
    let completed_files = files.iter().map(|(_, file)| file.completed_files).sum();
    let total_files = files.iter().map(|(_, file)| file.total_files).sum();
    let whole = file(total, downloaded, had, past);
    Progress { completed_files, total_files, files: files.into_iter().collect(), ..whole }
}

fn file(total: u64, downloaded: u64, had: u64, past: Duration) -> Progress {
    let session = downloaded.saturating_sub(had);
    let seconds = past.as_secs_f64();
    let speed = if seconds > 0.0 { ratio(session, 1) / seconds } else { 0.0 };
    let eta_ms = if speed > 0.0 { part(1_000, ratio(total - downloaded, 1) / speed) } else { 0 };
    Progress {
        total: total.into(),
        downloaded: downloaded.into(),
        downloaded_this_session: session.into(),
        completed_files: u32::from(downloaded == total),
        total_files: 1,
        speed,
        eta_ms,
        files: [].into_iter().collect(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "bytes of a model are far below 2^53")]
pub(super) fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bytes and milliseconds are far below 2^53, and no share is negative"
)]
pub(super) fn part(whole: u64, share: f64) -> u64 {
    (whole as f64 * share) as u64
}
