//! Line charts as SVG, rendered on the server without scripts or inline styles, with a text alternative for screen
//! readers.

use chrono::{DateTime, Duration, Utc};

/// Size of the drawing in SVG units; the page scales it.
const WIDTH: f64 = 320.0;
const HEIGHT: f64 = 96.0;
/// Margins for the labels on the left and below.
const LEFT: f64 = 66.0;
const BOTTOM: f64 = 20.0;
const TOP: f64 = 8.0;

/// How the values of a chart are written, and the steps of its scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes; the steps are powers of two.
    Bytes,
    /// A count; the steps are whole numbers.
    Count,
    /// Processor cores.
    Cores,
}

impl Unit {
    /// The text of a value.
    pub fn text(self, value: f64) -> String {
        match self {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "sizes are far below 2^63")]
            Self::Bytes => crate::web::views::elements::format::size_text(value.max(0.0) as u64),
            Self::Count => format!("{value:.0}"),
            Self::Cores if value < 0.095 => format!("{value:.2}"),
            Self::Cores => format!("{value:.1}"),
        }
    }

    /// A round number at or above the greatest value, for the top of the scale.
    fn ceiling(self, value: f64) -> f64 {
        match self {
            Self::Bytes => {
                let mut top = 1024.0 * 1024.0;
                while top < value {
                    top *= 2.0;
                }
                top
            }
            // Half of each step is a whole number too, for the middle of the scale.
            Self::Count => round_up(value.max(4.0), &[1.0, 2.0, 4.0, 6.0, 8.0, 10.0]),
            Self::Cores => round_up(value.max(0.1), &[1.0, 2.0, 4.0, 5.0, 10.0]),
        }
    }
}

/// The next step times a power of ten.
fn round_up(value: f64, steps: &[f64]) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    steps.iter().map(|step| step * power).find(|top| *top >= value * 0.999).unwrap_or(value)
}

/// The points of a small line without axes in a box of 60 by 16, from zero to the greatest value. Empty with fewer than
/// two values.
pub fn sparkline(values: &[i64]) -> String {
    let (Some(top), true) = (values.iter().max().filter(|top| **top > 0), values.len() > 1) else {
        return String::new();
    };
    #[expect(clippy::cast_precision_loss, reason = "a small drawing")]
    let point = |(n, value): (usize, &i64)| {
        let (x, y) = (60.0 * n as f64 / (values.len() - 1) as f64, 15.0 - 14.0 * *value as f64 / *top as f64);
        format!("{x:.1},{y:.1}")
    };
    values.iter().enumerate().map(point).collect::<Vec<_>>().join(" ")
}

/// A chart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// Text of the last value; empty if there is none.
    pub last: String,
    /// The lines, as points; a gap in the values starts a new line.
    pub lines: Vec<String>,
    /// Isolated values, which would be invisible as lines: (x, y).
    pub dots: Vec<(String, String)>,
    /// Labels of the scale: (y, text).
    pub scale: Vec<(String, String)>,
    /// Labels of the time axis: (x, text anchor, text).
    pub times: Vec<(String, &'static str, String)>,
    /// Text alternative: the chart described in a sentence.
    pub alternative: String,
}

impl Chart {
    /// Draws the values between `from` and `to`. `gap` is the longest time between two points of one line.
    pub fn new(
        title: &str,
        unit: Unit,
        values: &[(DateTime<Utc>, f64)],
        (from, to): (DateTime<Utc>, DateTime<Utc>),
        gap: Duration,
    ) -> Self {
        let Some((_, last)) = values.last() else {
            let alternative = format!("{title}: no measurements in this period.");
            return Self { title: title.to_owned(), alternative, ..Self::default() };
        };
        let greatest = values.iter().map(|(_, v)| *v).fold(0.0, f64::max);
        let smallest = values.iter().map(|(_, v)| *v).fold(f64::INFINITY, f64::min);
        let top = unit.ceiling(greatest);
        let seconds = |span: Duration| span.as_seconds_f64();
        let span = seconds(to - from).max(1.0);
        let x = |at: DateTime<Utc>| LEFT + (WIDTH - LEFT - 2.0) * (seconds(at - from) / span).clamp(0.0, 1.0);
        let y = |value: f64| TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - (value / top).clamp(0.0, 1.0));
        let mut lines: Vec<Vec<(String, String)>> = Vec::new();
        let mut before: Option<DateTime<Utc>> = None;
        for (at, value) in values {
            if before.is_none_or(|b| *at - b > gap) {
                lines.push(Vec::new());
            }
            before = Some(*at);
            if let Some(line) = lines.last_mut() {
                line.push((format!("{:.1}", x(*at)), format!("{:.1}", y(*value))));
            }
        }
        let (dots, lines): (Vec<_>, Vec<_>) = lines.into_iter().partition(|points| points.len() == 1);
        let line = |points: Vec<(String, String)>| {
            points.into_iter().map(|(x, y)| format!("{x},{y}")).collect::<Vec<_>>().join(" ")
        };
        let hours = (to - from).num_hours() <= 48;
        let time =
            |at: DateTime<Utc>| if hours { at.format("%H:%M").to_string() } else { at.format("%-d %b").to_string() };
        let middle = from + (to - from) / 2;
        Self {
            title: title.to_owned(),
            last: unit.text(*last),
            lines: lines.into_iter().map(line).collect(),
            dots: dots.into_iter().flatten().collect(),
            scale: [0.0, top / 2.0, top].map(|value| (format!("{:.1}", y(value)), unit.text(value))).to_vec(),
            times: [(from, "start"), (middle, "middle"), (to, "end")]
                .map(|(at, anchor)| (format!("{:.1}", x(at)), anchor, time(at)))
                .to_vec(),
            alternative: format!(
                "{title}: now {}, minimum {}, maximum {}, from {} to {} UTC.",
                unit.text(*last),
                unit.text(smallest),
                unit.text(greatest),
                from.format("%Y-%m-%d %H:%M"),
                to.format("%Y-%m-%d %H:%M")
            ),
        }
    }

    /// Whether nothing was measured.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.dots.is_empty()
    }

    /// Marks the last value as outdated, for servers that are not running.
    #[must_use]
    pub fn of_the_past(mut self) -> Self {
        if !self.last.is_empty() {
            self.last = format!("last {}", self.last);
            self.alternative = self.alternative.replacen(": now ", ": last ", 1);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use crate::web::views::elements::chart::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + minute * 60, 0).unwrap()
    }

    #[test]
    fn a_gap_begins_a_new_line_and_the_scale_is_round() {
        let values = [(at(0), 3.0), (at(5), 7.0), (at(60), 6.0)];
        let chart = Chart::new("Connections", Unit::Count, &values, (at(0), at(60)), Duration::minutes(15));
        assert_eq!((chart.lines.len(), chart.dots.len()), (1, 1), "a point alone is a dot");
        assert_eq!(chart.last, "6");
        let scale: Vec<_> = chart.scale.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(scale, ["0", "4", "8"]);
        assert!(chart.alternative.contains("minimum 3, maximum 7"), "{}", chart.alternative);
        // Everything is inside the drawing.
        for point in chart.lines.iter().flat_map(|l| l.split(' ')) {
            let (x, y) = point.split_once(',').unwrap();
            let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
            assert!((LEFT..=WIDTH).contains(&x) && (TOP..=HEIGHT).contains(&y), "{point}");
        }
    }

    #[test]
    fn nothing_measured_is_said_and_not_drawn() {
        let chart = Chart::new("Memory", Unit::Bytes, &[], (at(0), at(60)), Duration::minutes(15));
        assert!(chart.is_empty() && chart.last.is_empty());
        assert!(chart.alternative.contains("no measurements"));
    }

    #[test]
    fn the_middle_of_a_count_is_whole() {
        for (greatest, top) in [(0.0, 4.0), (5.0, 6.0), (10.0, 10.0), (11.0, 20.0), (50.0, 60.0), (101.0, 200.0)] {
            assert_eq!(Unit::Count.ceiling(greatest).to_string(), f64::to_string(&top), "{greatest}");
        }
    }

    #[test]
    fn what_does_not_run_has_a_last_value_not_a_present_one() {
        let draw = |values: &[_]| Chart::new("Memory", Unit::Count, values, (at(0), at(60)), Duration::minutes(15));
        let chart = draw(&[(at(0), 3.0)]).of_the_past();
        assert_eq!(chart.last, "last 3");
        assert!(chart.alternative.starts_with("Memory: last 3, "), "{}", chart.alternative);
        assert!(draw(&[]).of_the_past().last.is_empty());
    }

    #[test]
    fn values_have_words() {
        assert_eq!(Unit::Bytes.text(3.0 * 1024.0 * 1024.0), "3 MiB");
        assert_eq!(Unit::Cores.text(0.04), "0.04");
        assert_eq!(Unit::Cores.text(1.26), "1.3");
    }
}
