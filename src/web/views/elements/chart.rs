//! Line charts as SVG, rendered on the server without scripts or inline styles, with a text alternative for screen
//! readers.

use chrono::{DateTime, Duration, SecondsFormat, Utc};

/// Size of the drawing in SVG units. The page stretches it to the available width; labels are beside it, so that their
/// size never changes.
const WIDTH: f64 = 320.0;
const HEIGHT: f64 = 96.0;
/// Columns that each show a value on hover: fewer than points, so that a page stays small.
const COLUMNS: u8 = 48;

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
            Self::Cores if value < 0.005 => "0".to_owned(),
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

/// A column of a chart, which shows a value on hover.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Area {
    /// Its left edge.
    pub x: String,
    /// Its width.
    pub width: String,
    /// "15:03 UTC: 48 MiB".
    pub text: String,
    /// When the value was measured, for the local time: `2026-11-21T15:03:00Z`.
    pub at: String,
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
    /// Labels of the scale at the top, in the middle and at the bottom.
    pub scale: Vec<String>,
    /// Labels of the time axis at its start, middle and end.
    pub times: Vec<String>,
    /// Columns that show a value on hover.
    pub areas: Vec<Area>,
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
        let share = |at: DateTime<Utc>| (seconds(at - from) / span).clamp(0.0, 1.0);
        let x = |at: DateTime<Utc>| WIDTH * share(at);
        let y = |value: f64| HEIGHT * (1.0 - (value / top).clamp(0.0, 1.0));
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
        let exact = |at: DateTime<Utc>| match hours {
            true => at.format("%H:%M UTC").to_string(),
            false => at.format("%-d %b %H:%M UTC").to_string(),
        };
        // The last value of each column.
        let width = WIDTH / f64::from(COLUMNS);
        let mut areas: Vec<Area> = Vec::new();
        for (at, value) in values {
            let column = (share(*at) * f64::from(COLUMNS)).floor().min(f64::from(COLUMNS) - 1.0);
            let x = format!("{:.2}", column * width);
            areas.pop_if(|last| last.x == x);
            areas.push(Area {
                x,
                width: format!("{width:.2}"),
                text: format!("{}: {}", exact(*at), unit.text(*value)),
                at: at.to_rfc3339_opts(SecondsFormat::Secs, true),
            });
        }
        let middle = from + (to - from) / 2;
        Self {
            title: title.to_owned(),
            last: unit.text(*last),
            lines: lines.into_iter().map(line).collect(),
            dots: dots.into_iter().flatten().collect(),
            scale: [top, top / 2.0, 0.0].map(|value| unit.text(value)).to_vec(),
            times: vec![time(from), time(middle), format!("{} UTC", time(to))],
            areas,
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
        assert_eq!(chart.scale, ["8", "4", "0"]);
        let told: Vec<_> = chart.areas.iter().map(|area| area.text.as_str()).collect();
        assert_eq!(told, ["08:00 UTC: 3", "08:05 UTC: 7", "09:00 UTC: 6"], "each value is shown on hover");
        assert!(chart.alternative.contains("minimum 3, maximum 7"), "{}", chart.alternative);
        // Everything is inside the drawing.
        for point in chart.lines.iter().flat_map(|l| l.split(' ')) {
            let (x, y) = point.split_once(',').unwrap();
            let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
            assert!((0.0..=WIDTH).contains(&x) && (0.0..=HEIGHT).contains(&y), "{point}");
        }
    }

    #[test]
    fn many_points_share_few_hover_areas() {
        let values: Vec<_> = (0..1440).map(|minute| (at(minute), 1.0)).collect();
        let chart = Chart::new("CPU", Unit::Cores, &values, (at(0), at(1440)), Duration::minutes(15));
        assert_eq!((chart.areas.len(), chart.lines.len()), (usize::from(COLUMNS), 1));
    }

    #[test]
    fn a_chart_without_measurements_says_so() {
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
    fn a_stopped_server_shows_its_last_value_as_outdated() {
        let draw = |values: &[_]| Chart::new("Memory", Unit::Count, values, (at(0), at(60)), Duration::minutes(15));
        let chart = draw(&[(at(0), 3.0)]).of_the_past();
        assert_eq!(chart.last, "last 3");
        assert!(chart.alternative.starts_with("Memory: last 3, "), "{}", chart.alternative);
        assert!(draw(&[]).of_the_past().last.is_empty());
    }

    #[test]
    fn values_are_formatted_with_units() {
        assert_eq!(Unit::Bytes.text(3.0 * 1024.0 * 1024.0), "3 MiB");
        assert_eq!(Unit::Cores.text(0.0), "0");
        assert_eq!(Unit::Cores.text(0.04), "0.04");
        assert_eq!(Unit::Cores.text(1.26), "1.3");
    }
}
