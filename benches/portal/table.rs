//! The table of measurements and their limits.

/// The limit of a measurement.
pub enum Bar {
    /// At most this.
    Most(f64),
    /// At most this, but only from a later version on.
    Later(f64),
    /// None: the measurement explains another one.
    None,
}

struct Line {
    what: String,
    measured: String,
    bar: String,
    verdict: &'static str,
}

/// All measurements of a run.
#[derive(Default)]
pub struct Table(Vec<Line>);

impl Table {
    /// Adds a measurement and prints it at once.
    pub fn add(&mut self, what: impl Into<String>, value: f64, unit: &str, bar: &Bar) {
        let show = |v: f64| if unit.is_empty() { format!("{v:.2}") } else { format!("{v:.1} {unit}") };
        let (bar, verdict) = match bar {
            Bar::Most(most) if value <= *most => (format!("≤ {}", show(*most)), "met"),
            Bar::Most(most) => (format!("≤ {}", show(*most)), "MISSED"),
            Bar::Later(most) => (format!("≤ {}", show(*most)), "later"),
            Bar::None => (String::new(), ""),
        };
        let line = Line { what: what.into(), measured: show(value), bar, verdict };
        eprintln!("{}: {} {}", line.what, line.measured, line.verdict);
        self.0.push(line);
    }

    /// Whether a limit was missed.
    pub fn missed(&self) -> bool {
        self.0.iter().any(|line| line.verdict == "MISSED")
    }

    /// Prints the table.
    pub fn print(&self) {
        let width = |of: fn(&Line) -> &str| self.0.iter().map(|l| of(l).chars().count()).max().unwrap_or(0).max(8);
        let (what, measured, bar) = (width(|l| &l.what), width(|l| &l.measured), width(|l| &l.bar));
        println!("\n{:what$}  {:>measured$}  {:>bar$}  verdict", "what", "measured", "limit");
        println!("{}", "-".repeat(what + measured + bar + 14));
        for l in &self.0 {
            println!("{:what$}  {:>measured$}  {:>bar$}  {}", l.what, l.measured, l.bar, l.verdict);
        }
    }
}

/// The value below which this share of the values lies.
pub fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a small index"
    )]
    let at = ((values.len() as f64 * share).ceil() as usize).clamp(1, values.len()) - 1;
    values.get(at).copied().unwrap_or(f64::NAN)
}
