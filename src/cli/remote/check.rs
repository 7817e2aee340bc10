//! The health check of a proxy: proves that the server behind it answers in the protocol of one of the engines. A connection
//! alone proves nothing, because the proxy and the container engine accept connections to servers that do not respond.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Timeout for a connection to the proxy.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a server that speaks first may take to do so.
const GREETING: Duration = Duration::from_millis(300);
/// How long a server may take to answer.
const ANSWER: Duration = Duration::from_secs(3);

/// PostgreSQL's request for TLS. It is answered with one letter.
const POSTGRES: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// Bolt's handshake with the versions 5.0 and 4.4, which is answered with the chosen one.
const BOLT: [u8; 20] = [0x60, 0x60, 0xb0, 0x17, 0, 0, 0, 5, 0, 0, 4, 4, 0, 0, 0, 0, 0, 0, 0, 0];

/// MongoDB's command `hello` on the database `admin`: a message of 52 bytes with a document of 31.
const MONGODB: [u8; 52] = *b"\x34\0\0\0\x01\0\0\0\0\0\0\0\xdd\x07\0\0\0\0\0\0\0\
\x1f\0\0\0\x10hello\0\x01\0\0\0\x02$db\0\x06\0\0\0admin\0\0";

/// Fails unless the server behind the proxy at `listen` answers.
///
/// # Errors
/// If nothing listens there, or the server does not answer.
pub(super) async fn check(listen: SocketAddr) -> anyhow::Result<()> {
    let ip = if listen.ip().is_unspecified() { [127, 0, 0, 1].into() } else { listen.ip() };
    let local = SocketAddr::new(ip, listen.port());
    let mut to = connect(local).await?;
    let first = match answer(&mut to, GREETING).await {
        Answer::Bytes(bytes) => bytes,
        Answer::Closed => bail!("the database cannot be reached: the connection was closed"),
        Answer::Nothing => ask(&mut to, &POSTGRES).await,
    };
    if is_mariadb(&first)? || is_postgres(&first) {
        return Ok(());
    }
    // Servers close the connection when they do not understand a question.
    if is_bolt(&ask(&mut connect(local).await?, &BOLT).await)
        || is_mongodb(&ask(&mut connect(local).await?, &MONGODB).await)
    {
        return Ok(());
    }
    bail!("the database does not respond")
}

async fn connect(local: SocketAddr) -> anyhow::Result<TcpStream> {
    let connected = tokio::time::timeout(CONNECT, TcpStream::connect(local)).await;
    connected.context("the proxy does not accept connections")?.context("nothing is listening")
}

/// What came over a connection.
enum Answer {
    Bytes(Vec<u8>),
    Closed,
    Nothing,
}

async fn answer(from: &mut TcpStream, patience: Duration) -> Answer {
    let mut bytes = vec![0; 512];
    match tokio::time::timeout(patience, from.read(&mut bytes)).await {
        Ok(Ok(0) | Err(_)) => Answer::Closed,
        Ok(Ok(n)) => {
            bytes.truncate(n);
            Answer::Bytes(bytes)
        }
        Err(_) => Answer::Nothing,
    }
}

/// The answer to a question; empty if there is none.
async fn ask(to: &mut TcpStream, question: &[u8]) -> Vec<u8> {
    if to.write_all(question).await.is_err() {
        return Vec::new();
    }
    match answer(to, ANSWER).await {
        Answer::Bytes(bytes) => bytes,
        Answer::Closed | Answer::Nothing => Vec::new(),
    }
}

/// Whether these bytes are MariaDB's greeting: a packet with the number 0 that begins with the version of the protocol.
///
/// # Errors
/// With the server's words if it accepts no connections.
fn is_mariadb(bytes: &[u8]) -> anyhow::Result<bool> {
    match bytes {
        [_, _, _, 0, 10, ..] => Ok(true),
        [_, _, _, 0, 0xff, _, _, words @ ..] => {
            bail!("the database accepts no connections: {}", String::from_utf8_lossy(words).trim())
        }
        _ => Ok(false),
    }
}

fn is_postgres(bytes: &[u8]) -> bool {
    matches!(bytes, b"S" | b"N")
}

fn is_bolt(bytes: &[u8]) -> bool {
    matches!(bytes, [0, 0, _, major] if *major > 0)
}

/// Whether these bytes are a message of MongoDB's protocol in reply to the first one.
fn is_mongodb(bytes: &[u8]) -> bool {
    matches!(bytes, [_, _, _, _, _, _, _, _, 1, 0, 0, 0, 0xdd, 0x07, 0, 0, ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_to_mongodb_has_the_length_it_says() {
        assert_eq!(usize::from(MONGODB[0]), MONGODB.len());
        assert_eq!(usize::from(MONGODB[21]), MONGODB.len() - 21);
    }

    #[test]
    fn only_words_of_servers_are_taken_for_answers() {
        assert!(is_mariadb(b"\x59\0\0\0\x0a11.4.2-MariaDB").unwrap());
        let refused = is_mariadb(b"\x17\0\0\0\xff\x10\x04Too many connections").unwrap_err();
        assert!(refused.to_string().contains("Too many connections"), "{refused}");
        for other in [&b""[..], b"HTTP/1.1 400 Bad Request", b"S and more", b"\0\0\0\0"] {
            assert!(
                !is_mariadb(other).unwrap() && !is_postgres(other) && !is_bolt(other) && !is_mongodb(other),
                "{other:?}"
            );
        }
        assert!(is_postgres(b"N") && is_bolt(&[0, 0, 4, 4]) && is_bolt(&[0, 0, 0, 5]));
    }
}
