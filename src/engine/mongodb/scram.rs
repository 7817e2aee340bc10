//! Signs in to MongoDB with SCRAM-SHA-256: RFC 5802 and RFC 7677. The server proves in return that it knows the password.

use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::{digest, hmac, pbkdf2};

/// Iterations that a server may demand. Its default is 15,000.
const ITERATIONS: std::ops::RangeInclusive<u32> = 4096..=1_000_000;

/// The client's side after its first message.
pub(super) struct Exchange {
    bare: String,
    nonce: String,
}

/// The client's last message, and the proof that the server must answer with.
pub(super) struct Proof {
    /// The message.
    pub message: String,
    expected: String,
}

impl Exchange {
    /// Begins with a `nonce` that is used once and contains no comma. Also returns the first message.
    pub(super) fn begin(user: &str, nonce: &str) -> (Self, String) {
        let user = user.replace('=', "=3D").replace(',', "=2C");
        let bare = format!("n={user},r={nonce}");
        let first = format!("n,,{bare}");
        (Self { bare, nonce: nonce.to_owned() }, first)
    }

    /// The answer to the server's first message, or `None` if that message is not valid.
    pub(super) fn prove(&self, server_first: &str, password: &str) -> Option<Proof> {
        let [nonce, salt, iterations] = fields(server_first, ["r=", "s=", "i="])?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return None;
        }
        let salt = BASE64.decode(salt).ok()?;
        let iterations = iterations.parse().ok().filter(|i| ITERATIONS.contains(i)).and_then(NonZeroU32::new)?;
        let password = stringprep::saslprep(password).ok()?;
        let mut salted = [0; digest::SHA256_OUTPUT_LEN];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, &salt, password.as_bytes(), &mut salted);

        let unproven = format!("c=biws,r={nonce}");
        let signed = format!("{},{server_first},{unproven}", self.bare);
        let client = sign(&salted, "Client Key");
        let signature = sign(digest::digest(&digest::SHA256, client.as_ref()).as_ref(), &signed);
        let proof: Vec<u8> = client.as_ref().iter().zip(signature.as_ref()).map(|(a, b)| a ^ b).collect();
        let server = sign(sign(&salted, "Server Key").as_ref(), &signed);
        let message = format!("{unproven},p={}", BASE64.encode(proof));
        Some(Proof { message, expected: format!("v={}", BASE64.encode(server)) })
    }
}

impl Proof {
    /// Whether the server's last message proves that it knows the password.
    pub(super) fn agrees(&self, server_last: &str) -> bool {
        server_last == self.expected
    }
}

fn sign(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

/// The values of a message that consists of these fields. Further fields may follow.
fn fields<'a, const N: usize>(message: &'a str, names: [&str; N]) -> Option<[&'a str; N]> {
    let mut parts = message.split(',');
    let mut found = [""; N];
    for (value, name) in found.iter_mut().zip(names) {
        *value = parts.next()?.strip_prefix(name)?;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677, section 3.
    #[test]
    fn the_example_of_rfc_7677_is_reproduced() {
        let (exchange, first) = Exchange::begin("user", "rOprNGfwEbeRWgbNEkqO");
        assert_eq!(first, "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let server = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let proof = exchange.prove(server, "pencil").unwrap();
        assert_eq!(
            proof.message,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert!(proof.agrees("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
        assert!(!proof.agrees("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5="));
    }

    #[test]
    fn a_server_must_extend_the_nonce_and_limit_the_iterations() {
        let (exchange, _) = Exchange::begin("a=b,c", "mine");
        assert_eq!(exchange.bare, "n=a=3Db=2Cc,r=mine");
        let refused = |message: &str| exchange.prove(message, "secret").is_none();
        assert!(!refused("r=mineTHEIRS,s=AAAA,i=4096"));
        for message in [
            "r=mine,s=AAAA,i=4096",
            "r=other,s=AAAA,i=4096",
            "r=mineTHEIRS,s=AAAA,i=1",
            "r=mineTHEIRS,s=AAAA,i=4000000000",
            "r=mineTHEIRS,s=?,i=4096",
            "r=mineTHEIRS",
            "",
        ] {
            assert!(refused(message), "{message}");
        }
    }
}
