use proptest::prelude::*;

use super::*;

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn now() -> DateTime<Utc> {
    utc("2026-11-29T17:41:27.5Z")
}

fn end_in(zone: Tz, text: &str) -> Result<Option<DateTime<Utc>>, TtlFault> {
    Ttl::parse(text, zone).and_then(|ttl| ttl.end(now()))
}

fn seconds(text: &str) -> i64 {
    (end_in(Tz::UTC, text).unwrap().unwrap() - now().trunc_subsecs(0)).num_seconds()
}

#[test]
fn durations_count_from_now() {
    for (text, expected) in [
        ("45m", 2700),
        ("8h", 28_800),
        ("7d", 604_800),
        ("2w", 1_209_600),
        ("3600", 3600),
        ("1", 1),
        (" 90 min ", 5400),
        ("1 Day", 86_400),
        ("+5s", 5),
        ("007", 7),
        ("36525d", 36_525 * 86_400),
    ] {
        assert_eq!(seconds(text), expected, "{text}");
    }
    for text in ["", "  ", "never", "Forever", "for ever"] {
        assert_eq!(end_in(Tz::UTC, text), Ok(None), "{text:?}");
    }
}

#[test]
fn each_kind_of_error_has_its_own_sentence() {
    for (text, why) in [
        ("0", "A time to live of 0"),
        ("0d", "A time to live of 0"),
        ("-0", "A time to live of 0"),
        ("-5", "“-5” is negative"),
        ("-1h", "“-1h” is negative"),
        ("−1h", "“−1h” is negative"),
        ("1000000000000000000", "100 years"),
        ("99999999999999999999999999999", "100 years"),
        ("1000000000000000000w", "100 years"),
        ("36526d", "100 years"),
        ("9999-12-31", "100 years"),
        ("1e3", "“1e3” is not a whole number"),
        ("1E+3", "“1E+3” is not a whole number"),
        ("1.5e3", "“1.5e3” is not a whole number"),
        ("1.5h", "“1.5h” is not a whole number"),
        ("1,5h", "“1,5h” is not a whole number"),
        ("soon", "“soon” is not a time to live"),
        ("NaN", "“NaN” is not a time to live"),
        ("infinity", "is not a time to live"),
        ("5y", "is not a time to live"),
        ("0x10", "is not a time to live"),
        ("h", "is not a time to live"),
        ("1d12h", "is not a time to live"),
        ("7d; DROP TABLE", "is not a time to live"),
        ("٣h", "is not a time to live"),
        ("2020-01-01", "2020-01-01 23:59 UTC is in the past"),
        ("2026-11-29T17:41:27Z", "in the past"),
        ("2027-02-30", "“2027-02-30” is not a valid date"),
        ("2027-13-01", "is not a valid date"),
        ("31.01.2027", "is not a valid date"),
        ("01/31/2027", "is not a valid date"),
        ("2027-01-31T25:00", "is not a valid date"),
        ("2027-01-31 12:00 Mars", "is not a valid date"),
        ("2027-01-31 12:00UTC", "“2027-01-31 12:00UTC” is not a valid date"),
        ("2027-01-32 12:00 UTC", "“2027-01-32 12:00 UTC” is not a valid date"),
        ("99999-01-01", "is not a valid date"),
    ] {
        let said = end_in(Tz::UTC, text).unwrap_err().to_string();
        assert!(said.contains(why), "{text}: {said}");
    }
    let long = end_in(Tz::UTC, &"x".repeat(300)).unwrap_err().to_string();
    assert!(long.contains(&format!("“{}…”", "x".repeat(40))) && long.len() < 200, "{long}");
}

#[test]
fn dates_refer_to_the_time_zone_of_the_site() {
    let at = |zone, text: &str| end_in(zone, text).unwrap().unwrap();
    let berlin = Tz::Europe__Berlin;
    assert_eq!(at(Tz::UTC, "2027-01-31"), utc("2027-01-31T23:59:59Z"));
    assert_eq!(at(berlin, "2027-01-31"), utc("2027-01-31T22:59:59Z"));
    assert_eq!(at(berlin, "2026-11-29"), utc("2026-11-29T22:59:59Z"), "today ends in the future");
    assert_eq!(at(berlin, "2027-01-31T12:00"), utc("2027-01-31T11:00:00Z"));
    assert_eq!(at(berlin, "2027-01-31 12:00:30"), utc("2027-01-31T11:00:30Z"));
    assert_eq!(at(berlin, "2027-01-31T12:00:00-08:00"), utc("2027-01-31T20:00:00Z"));
    // As the pages show times.
    assert_eq!(at(berlin, "2027-01-31 12:00 UTC"), utc("2027-01-31T12:00:00Z"));
    assert_eq!(at(berlin, "2027-01-31 UTC"), utc("2027-01-31T23:59:59Z"));
    assert_eq!(at(berlin, "2027-01-31T12:00:00.9Z"), utc("2027-01-31T12:00:00Z"));
    assert_eq!(at(Tz::UTC, "2028-02-29"), utc("2028-02-29T23:59:59Z"));
}

#[test]
fn days_on_which_clocks_change() {
    let at = |zone, text: &str| end_in(zone, text).unwrap().unwrap();
    let berlin = Tz::Europe__Berlin;
    // 23 and 25 hours long.
    assert_eq!(at(berlin, "2027-03-28"), utc("2027-03-28T21:59:59Z"));
    assert_eq!(at(berlin, "2027-10-31"), utc("2027-10-31T22:59:59Z"));
    // A skipped time, and the later of two.
    assert_eq!(at(berlin, "2027-03-28 02:30"), utc("2027-03-28T01:00:00Z"));
    assert_eq!(at(berlin, "2027-10-31 02:30"), utc("2027-10-31T01:30:00Z"));
    // Midnight is skipped, shown twice, or set back to the same day.
    assert_eq!(at(Tz::Africa__Cairo, "2027-04-29"), utc("2027-04-29T21:59:59Z"));
    assert_eq!(at(Tz::America__Havana, "2027-11-06"), utc("2027-11-07T03:59:59Z"));
    assert_eq!(at(Tz::America__Santiago, "2027-04-03"), utc("2027-04-04T03:59:59Z"));
    // A duration is exact: a day has 24 hours even then.
    let eve = utc("2027-03-27T12:00:00Z");
    assert_eq!(Ttl::parse("1d", berlin).unwrap().end(eve), Ok(Some(utc("2027-03-28T12:00:00Z"))));
}

#[test]
fn the_limits_of_a_site() {
    let week = Lifetime::parse("7d").unwrap();
    let day = Lifetime::parse("1d").unwrap();
    let limits = TtlLimits { longest: Some(week), default: Some(day) };
    let end = |text: &str| Ttl::parse(text, Tz::UTC).unwrap().end_within(limits, now());
    assert_eq!(end("7d"), Ok(Some(week.from(now()))));
    assert_eq!(end("2026-12-06 17:42"), Ok(Some(utc("2026-12-06T17:42:00Z"))), "the minute of the longest");
    assert_eq!(end("169h"), Err(TtlFault::BeyondLongest(week)));
    assert_eq!(end("2026-12-31"), Err(TtlFault::BeyondLongest(week)));
    assert_eq!(end(""), Err(TtlFault::EndRequired(week)));
    assert_eq!(limits.usual(), Ttl::Lasting(day));
    assert_eq!(limits.suggestion(), "1d");
    assert_eq!(TtlLimits { default: None, ..limits }.usual(), Ttl::Lasting(week));
    assert_eq!(TtlLimits { longest: Some(day), default: Some(week) }.usual(), Ttl::Lasting(day));
    assert_eq!(TtlLimits::default().usual(), Ttl::Forever);
    assert_eq!(TtlLimits::default().suggestion(), "");
    assert_eq!(Ttl::Forever.end_within(TtlLimits::default(), now()), Ok(None));
}

#[test]
fn a_lifetime_prints_in_its_largest_unit() {
    for (text, exact, printed) in [
        ("3600", "1h", "1 hour"),
        ("90m", "90m", "90 minutes"),
        ("7d", "7d", "7 days"),
        ("14d", "2w", "2 weeks"),
        ("30d", "30d", "30 days"),
        ("61", "61s", "61 seconds"),
    ] {
        let lifetime = Lifetime::parse(text).unwrap();
        assert_eq!((lifetime.exact().as_str(), lifetime.to_string().as_str()), (exact, printed));
        assert_eq!(Lifetime::parse(&lifetime.exact()), Ok(lifetime));
    }
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_rejected_with_a_sentence(
        text in ".{0,60}", like in "[-+−]?[0-9]{0,22}[.,eE]?[ smhdw]?[a-z0-9]{0,3}", date in "[0-9]{1,5}-[0-9]{1,2}-[0-9]{1,2}[T ]?[0-9:]{0,8}Z?"
    ) {
        for text in [text, like, date] {
            match end_in(Tz::Europe__Berlin, &text) {
                Ok(end) => prop_assert!(end.is_none_or(|at| at > now()), "{}", text),
                Err(why) => {
                    let why = why.to_string();
                    prop_assert!(why.ends_with('.') && why.len() > 20 && !why.contains('\n'), "{}", why);
                }
            }
        }
    }
}
