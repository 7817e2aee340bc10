//! Amounts of memory and CPU, parsed from forms and configuration.

use std::fmt;

/// An amount of memory or storage, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub i64);

/// One mebibyte.
pub const MIB: i64 = 1024 * 1024;
/// One gibibyte.
pub const GIB: i64 = 1024 * MIB;

impl ByteSize {
    /// Parses `512m`, `2g`, `1.5 GiB`, `1073741824`. Units are powers of 1024.
    pub fn parse(raw: &str) -> Result<Self, String> {
        let wrong = || format!("“{}” is not a valid amount of memory. Use a value such as 512m or 2g.", raw.trim());
        let text = raw.trim().to_ascii_lowercase();
        let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let factor: f64 = match unit.trim() {
            "" | "b" => 1.0,
            "k" | "kb" | "kib" => 1024.0,
            "m" | "mb" | "mib" => 1024.0 * 1024.0,
            "g" | "gb" | "gib" => 1024.0 * 1024.0 * 1024.0,
            "t" | "tb" | "tib" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
            _ => return Err(wrong()),
        };
        let bytes = number.parse::<f64>().map_err(|_| wrong())? * factor;
        // 2^53: above it, a double cannot represent every integer.
        if !(1.0..=9_007_199_254_740_992.0).contains(&bytes) {
            return Err(wrong());
        }
        #[expect(clippy::cast_possible_truncation, reason = "bounded to 2^53 above")]
        Ok(Self(bytes as i64))
    }
}

impl ByteSize {
    /// The exact amount in the format of [`ByteSize::parse`], without rounding, for forms.
    pub fn exact(self) -> String {
        match self.0 {
            b if b % GIB == 0 => format!("{}g", b / GIB),
            b if b % MIB == 0 => format!("{}m", b / MIB),
            b => b.to_string(),
        }
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, name) = match self.0 {
            b if b >= GIB => (GIB, "GiB"),
            b if b >= MIB => (MIB, "MiB"),
            b if b >= 1024 => (1024, "KiB"),
            b => return write!(f, "{b} B"),
        };
        let tenths = self.0.saturating_mul(10) / unit;
        if tenths % 10 == 0 || tenths >= 1000 {
            write!(f, "{} {name}", tenths / 10)
        } else {
            write!(f, "{}.{} {name}", tenths / 10, tenths % 10)
        }
    }
}

/// A share of CPU time, in thousandths of a core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MilliCpus(pub i32);

impl MilliCpus {
    /// Parses a number of cores such as `2` or `0.5`, with a precision of a hundredth.
    pub fn parse(raw: &str) -> Result<Self, String> {
        let wrong = || format!("“{}” is not a valid number of CPUs. Use a value such as 1 or 0.5.", raw.trim());
        let cores: f64 = raw.trim().parse().map_err(|_| wrong())?;
        if cores < 0.01 {
            return Err("Use at least 0.01 CPUs, for example 1 or 0.5.".to_owned());
        }
        if !(0.01..=1024.0).contains(&cores) {
            return Err(wrong());
        }
        #[expect(clippy::cast_possible_truncation, reason = "bounded to 1024 cores above")]
        Ok(Self((cores * 1000.0).round() as i32))
    }
}

impl fmt::Display for MilliCpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", f64::from(self.0) / 1000.0)
    }
}

/// A number with separators between groups of three digits, for example `1,503,238,553`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_round_trip() {
        for (raw, bytes, printed) in [
            ("512m", 512 * MIB, "512 MiB"),
            ("2g", 2 * GIB, "2 GiB"),
            ("1.5 GiB", GIB + GIB / 2, "1.5 GiB"),
            ("1000", 1000, "1000 B"),
        ] {
            assert_eq!(ByteSize::parse(raw), Ok(ByteSize(bytes)));
            assert_eq!(ByteSize(bytes).to_string(), printed);
            assert_eq!(ByteSize::parse(&ByteSize(bytes).exact()), Ok(ByteSize(bytes)));
        }
        for bad in ["", "g", "-1g", "0", "1x", "1e400", "NaN", "99999999999t"] {
            assert!(ByteSize::parse(bad).is_err(), "{bad:?} must be refused");
        }
    }

    #[test]
    fn cpus_round_trip() {
        assert_eq!(MilliCpus::parse("0.5"), Ok(MilliCpus(500)));
        assert_eq!(MilliCpus(1500).to_string(), "1.5");
        assert_eq!(MilliCpus(2000).to_string(), "2");
        for bad in ["0", "-1", "x", "", "5000"] {
            assert!(MilliCpus::parse(bad).is_err(), "{bad:?} must be refused");
        }
        assert!(MilliCpus::parse("0").unwrap_err().contains("at least 0.01"), "a number, but too small");
    }
}
