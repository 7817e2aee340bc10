//! The steps of a job: completed, current and remaining.

use askama::Template;

use crate::domain::duration::duration_text;
use crate::web::views::elements::format::Moment;
use crate::web::views::elements::parts::ActionButton;

/// The live part of a job, shown on pages and sent in events.
#[derive(Clone, Debug, Default)]
pub struct Steps {
    /// The current activity: "Creating trial-42".
    pub title: String,
    /// Page of the job.
    pub href: String,
    /// URL of its event stream; `None` if it has ended.
    pub events: Option<String>,
    /// Whether it has ended, successfully or not.
    pub done: bool,
    /// When it started.
    pub started: Option<Moment>,
    /// Usual or actual duration: "usually 4 s", "took 3.8 s".
    pub pace: Option<String>,
    /// How far it is, if an earlier run tells how long it takes.
    pub progress: Option<Progress>,
    /// The steps, in order.
    pub steps: Vec<StepView>,
    /// Why it failed.
    pub failure: Option<FailureView>,
}

impl Steps {
    /// The text for screen readers: the current step, or the outcome.
    #[must_use]
    pub fn now(&self) -> String {
        if let Some(failure) = &self.failure {
            return format!("Failed: {}", failure.reason);
        }
        if self.done {
            return "Done.".to_owned();
        }
        self.steps
            .iter()
            .find(|step| step.state == "doing")
            .map_or_else(|| "Waiting in the queue.".to_owned(), |step| step.label.clone())
    }

    /// Number of completed steps.
    #[must_use]
    pub fn done_count(&self) -> usize {
        self.steps.iter().filter(|step| step.state == "done").count()
    }
}

/// How far a job is, measured by the duration of an earlier run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// 0 to 99: only the end of a job is certain.
    pub percent: u8,
    /// "48 % · about 12 s left".
    pub text: String,
}

impl Progress {
    /// Runs shorter than this show no progress: it would only flicker.
    const SHORTEST: f64 = 3.0;

    /// The progress after `elapsed` seconds of a job whose last run took `last` seconds.
    #[must_use]
    pub fn new(elapsed: f64, last: f64) -> Option<Self> {
        if last < Self::SHORTEST {
            return None;
        }
        let share = (elapsed / last).clamp(0.0, 1.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 99")]
        let percent = (share * 100.0).min(99.0) as u8;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative")]
        let milliseconds = |seconds: f64| (seconds.max(0.0) * 1000.0) as u64;
        let text = if elapsed < last {
            // In whole seconds, so that the page does not change more often than people can read.
            let left = milliseconds((last - elapsed).ceil());
            format!("{percent} % · about {} left", duration_text(left.max(10_000).next_multiple_of(5_000)))
        } else {
            format!("longer than the last time ({})", duration_text(milliseconds(last)))
        };
        Some(Self { percent, text })
    }
}

/// One step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepView {
    /// "Start the server".
    pub label: String,
    /// `done`, `doing`, `todo`, `failed` or `undone`.
    pub state: String,
    /// Progress: "48 of 120 MiB".
    pub detail: Option<String>,
    /// How long it took: "0.8 s".
    pub took: Option<String>,
}

impl StepView {
    /// The state in words, for screen readers.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self.state.as_str() {
            "done" => "done",
            "doing" => "in progress",
            "failed" => "failed",
            "undone" => "undone",
            _ => "pending",
        }
    }
}

/// Why something failed, and what to do.
#[derive(Clone, Debug, Default)]
pub struct FailureView {
    /// The step that failed.
    pub step: String,
    /// What happened, in one sentence.
    pub reason: String,
    /// What was kept, and what to do.
    pub advice: String,
    /// The original message, collapsed.
    pub detail: Option<String>,
    /// Available actions: "Try again".
    pub actions: Vec<ActionButton>,
}

impl FailureView {
    /// Whether the message is short enough to be shown unfolded.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.detail.as_ref().is_some_and(|detail| detail.lines().count() <= 6)
    }
}

/// The HTML fragment sent in the events of a job.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "fragments/steps.html")]
pub struct StepsFragment {
    /// The job.
    pub job: Steps,
}

#[cfg(test)]
mod tests {
    use crate::web::views::elements::steps::*;

    #[test]
    fn progress_is_estimated_from_the_last_run_and_stays_below_100() {
        let told = |elapsed, last| Progress::new(elapsed, last).map(|p| (p.percent, p.text));
        assert_eq!(told(1.0, 2.0), None, "too short to matter");
        assert_eq!(told(30.0, 120.0), Some((25, "25 % · about 1 min 30 s left".to_owned())));
        assert_eq!(told(59.9, 60.0), Some((99, "99 % · about 10 s left".to_owned())));
        assert_eq!(told(90.0, 60.0), Some((99, "longer than the last time (1 min)".to_owned())));
        assert_eq!(told(-1.0, 60.0).map(|(percent, _)| percent), Some(0), "a clock that was set back");
    }

    #[test]
    fn the_announcement_follows_the_job() {
        let mut job = Steps::default();
        assert_eq!(job.now(), "Waiting in the queue.");
        job.steps.push(StepView { label: "Start the server".into(), state: "doing".into(), ..StepView::default() });
        assert_eq!(job.now(), "Start the server");
        job.done = true;
        assert_eq!(job.now(), "Done.");
        job.failure = Some(FailureView { reason: "The disk is full.".into(), ..FailureView::default() });
        assert_eq!(job.now(), "Failed: The disk is full.");
    }
}
