//! The configured accent colour, adjusted until it is readable in both colour schemes.

/// A colour: red, green, blue.
pub type Rgb = [u8; 3];

/// The backgrounds of text, light and dark, as in `static/style.css`.
const LIGHT: Rgb = [0xf4, 0xf5, 0xf2];
const DARK: Rgb = [0x1a, 0x1e, 0x20];

/// The content of `/branding.css`: the accent colour for both schemes, darkened or lightened until text in it is
/// readable. `None` if `accent` is not `#rrggbb`.
#[must_use]
pub fn branding_css(accent: &str) -> Option<String> {
    let colour = parse_hex(accent)?;
    let light = readable(colour, LIGHT, [0, 0, 0]);
    let dark = readable(colour, DARK, [255, 255, 255]);
    Some(format!(
        ":root {{ --accent: light-dark({}, {}); --on-accent: light-dark({}, {}); }}\n",
        hex(light),
        hex(dark),
        hex(ink_on(light)),
        hex(ink_on(dark)),
    ))
}

/// Parses `#rrggbb`.
#[must_use]
pub fn parse_hex(text: &str) -> Option<Rgb> {
    let digits = text.trim().strip_prefix('#')?;
    if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let part = |from: usize| u8::from_str_radix(digits.get(from..from + 2)?, 16).ok();
    Some([part(0)?, part(2)?, part(4)?])
}

/// The contrast of two colours according to WCAG 2: 1 to 21.
#[must_use]
pub fn contrast(one: Rgb, other: Rgb) -> f64 {
    let (a, b) = (luminance(one), luminance(other));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn luminance(colour: Rgb) -> f64 {
    let [red, green, blue] = colour.map(|channel| {
        let value = f64::from(channel) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/// Mixes `end` into `colour` in steps of 1/20 until it is readable on `ground`.
fn readable(colour: Rgb, ground: Rgb, end: Rgb) -> Rgb {
    (0..=20_u16).map(|step| mix(colour, end, step)).find(|mixed| contrast(*mixed, ground) >= 4.6).unwrap_or(end)
}

fn mix(colour: Rgb, end: Rgb, step: u16) -> Rgb {
    let [red, green, blue] = colour;
    let [to_red, to_green, to_blue] = end;
    let channel = |from: u8, to: u8| {
        let value = (u16::from(from) * (20 - step) + u16::from(to) * step) / 20;
        u8::try_from(value).unwrap_or(u8::MAX)
    };
    [channel(red, to_red), channel(green, to_green), channel(blue, to_blue)]
}

fn ink_on(ground: Rgb) -> Rgb {
    let (white, black) = ([255, 255, 255], [0x0e, 0x11, 0x12]);
    if contrast(white, ground) >= contrast(black, ground) { white } else { black }
}

fn hex([red, green, blue]: Rgb) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: &str = include_str!("../../../static/style.css");

    /// The light and the dark value of a token of `style.css`.
    fn token(name: &str) -> (Rgb, Rgb) {
        let start = format!("--{name}: light-dark(");
        let rest = STYLE.split_once(&start).unwrap_or_else(|| panic!("no token {name}")).1;
        let (light, dark) = rest.split_once(')').unwrap().0.split_once(',').unwrap();
        (parse_hex(light).unwrap(), parse_hex(dark).unwrap())
    }

    fn check(front: &str, back: &str, least: f64) {
        let ((front_light, front_dark), (back_light, back_dark)) = (token(front), token(back));
        for (scheme, value) in [("light", contrast(front_light, back_light)), ("dark", contrast(front_dark, back_dark))]
        {
            assert!(value >= least, "--{front} on --{back}, {scheme}: {value:.2} < {least}");
        }
    }

    #[test]
    fn text_and_lines_have_enough_contrast_in_both_schemes() {
        for ground in ["bg", "surface"] {
            for text in ["text", "muted", "accent", "ok", "warn", "bad"] {
                check(text, ground, 4.5);
            }
            check("line", ground, 3.0);
        }
        check("on-accent", "accent", 4.5);
        check("on-bad", "bad", 4.5);
    }

    #[test]
    fn the_backgrounds_equal_those_of_the_stylesheet() {
        assert_eq!(token("surface"), (LIGHT, DARK));
    }

    #[test]
    fn any_accent_becomes_readable() {
        for accent in ["#ffff00", "#000000", "#ffffff", "#1b365d", "#00c1d5"] {
            let css = branding_css(accent).unwrap();
            let values: Vec<Rgb> = css.split(['(', ',', ')']).filter_map(parse_hex).collect();
            let [light, dark, on_light, on_dark] = values.try_into().unwrap();
            assert!(contrast(light, LIGHT) >= 4.5, "{css}");
            assert!(contrast(dark, DARK) >= 4.5, "{css}");
            assert!(contrast(on_light, light) >= 4.5, "{css}");
            assert!(contrast(on_dark, dark) >= 4.5, "{css}");
        }
    }

    #[test]
    fn invalid_colours_are_rejected() {
        for text in ["", "red", "#12345", "#1234567", "#12345g", "#é1234"] {
            assert_eq!(branding_css(text), None, "{text}");
        }
    }
}
