//! MongoDB's wire protocol, over any stream: messages with the operation OP_MSG, as the MongoDB manual specifies them
//! ("MongoDB Wire Protocol"). One command at a time, which is all that the portal needs.

use bson::spec::BinarySubtype;
use bson::{Binary, Bson, Document, RawBsonRef, RawDocument, doc};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::scram::Exchange;

const OP_MSG: i32 = 2013;
/// Flag of a message that ends with a checksum.
const CHECKSUM: u32 = 1;
const HEADER: usize = 16;
/// Maximum size of a message in bytes. The server's own limit is 48,000,000.
const LONGEST: usize = 50_000_000;
/// Maximum bytes of the answers that list something.
const LONGEST_LIST: usize = 24 << 20;
/// Minimum bytes counted for a value, and for a document or an array. In memory they take about twelve times as much, however
/// few bytes they have in the message.
const VALUE: usize = 12;
const CONTAINER: usize = 120;
/// The server accepts a nesting of 100 levels.
const DEEPEST: usize = 200;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    /// The server refused the command.
    #[error("{message}")]
    Refused {
        /// The server's number of the error.
        code: i32,
        /// The server's sentence.
        message: String,
    },
    /// The conversation itself failed.
    #[error("{0}")]
    Broken(String),
}

impl WireError {
    /// The server's number of the error, if it refused the command.
    pub(super) fn code(&self) -> Option<i32> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            Self::Broken(_) => None,
        }
    }
}

fn broken(what: impl std::fmt::Display) -> WireError {
    WireError::Broken(what.to_string())
}

/// A connection to a server.
pub(super) struct Client<S> {
    stream: S,
    sent: i32,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Client<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, sent: 0 }
    }

    /// Runs a command in a database and returns the server's answer.
    pub(super) async fn run(&mut self, database: &str, command: Document) -> Result<Document, WireError> {
        self.ask(database, command, LONGEST).await.map(|(answer, _)| answer)
    }

    /// The same with a limit on the bytes of the answer, in which small values count as more than their size. Also returns the
    /// counted bytes.
    async fn ask(
        &mut self,
        database: &str,
        mut command: Document,
        most: usize,
    ) -> Result<(Document, usize), WireError> {
        command.insert("$db", database);
        self.sent += 1;
        let message = encode(self.sent, &command)?;
        let lost = |e: std::io::Error| broken(format!("the server closed the connection ({e})"));
        self.stream.write_all(&message).await.map_err(lost)?;
        let mut header = [0; HEADER];
        self.stream.read_exact(&mut header).await.map_err(lost)?;
        let length = usize::try_from(number_at(&header, 0)).unwrap_or(0);
        if !(HEADER..=LONGEST).contains(&length)
            || number_at(&header, 12) != OP_MSG
            || number_at(&header, 8) != self.sent
        {
            return Err(broken("the server does not speak the protocol of MongoDB"));
        }
        let too_long = || broken(format!("the server's list takes more than {} MiB", LONGEST_LIST >> 20));
        if length > most {
            return Err(too_long());
        }
        let mut body = vec![0; length - HEADER];
        self.stream.read_exact(&mut body).await.map_err(lost)?;
        let document = document(&body)?;
        let weight = length.max(weight(&mut fields(document), DEEPEST).map_err(broken)?);
        if weight > most {
            return Err(too_long());
        }
        accepted(document.try_into().map_err(broken)?).map(|answer| (answer, weight))
    }

    /// Runs a command that answers with a cursor, and returns all its documents: a list that owners make long, so its size
    /// is limited.
    pub(super) async fn all(&mut self, database: &str, command: Document) -> Result<Vec<Document>, WireError> {
        let mut found = Vec::new();
        let mut left = LONGEST_LIST;
        let (mut answer, mut length) = self.ask(database, command, left).await?;
        loop {
            let Ok(cursor) = answer.get_document_mut("cursor") else { return Err(broken("the server sent no cursor")) };
            let batch = cursor.remove("firstBatch").or_else(|| cursor.remove("nextBatch"));
            let Some(Bson::Array(batch)) = batch else {
                return Err(broken("the server sent a cursor without documents"));
            };
            found.extend(
                batch.into_iter().filter_map(|one| if let Bson::Document(one) = one { Some(one) } else { None }),
            );
            let (id, space) = (cursor.get_i64("id").unwrap_or(0), cursor.get_str("ns").unwrap_or_default().to_owned());
            if id == 0 {
                return Ok(found);
            }
            let collection = space.split_once('.').map(|(_, name)| name).unwrap_or_default();
            left = left.saturating_sub(length);
            let more = doc! { "getMore": id, "collection": collection };
            (answer, length) = self.ask(database, more, left).await?;
        }
    }

    /// Signs in as a user of `database`. `nonce` must be used only once.
    ///
    /// # Errors
    /// [`WireError::Refused`] with the code 18 if name or password are wrong.
    pub(super) async fn sign_in(
        &mut self,
        database: &str,
        (user, password): (&str, &str),
        nonce: &str,
    ) -> Result<(), WireError> {
        let invalid = || broken("the server does not prove that it knows the password");
        let (exchange, first) = Exchange::begin(user, nonce);
        let start = doc! {
            "saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": binary(first), "options": { "skipEmptyExchange": true },
        };
        let answer = self.run(database, start).await?;
        let proof = exchange.prove(&payload(&answer), password).ok_or_else(invalid)?;
        let id = answer.get("conversationId").cloned().unwrap_or(Bson::Null);
        let next = |payload| doc! { "saslContinue": 1, "conversationId": id.clone(), "payload": binary(payload) };
        let answer = self.run(database, next(proof.message.clone())).await?;
        if !proof.agrees(&payload(&answer)) {
            return Err(invalid());
        }
        // A server that does not know the option waits for one more, empty message.
        if !answer.get_bool("done").unwrap_or(false) {
            self.run(database, next(String::new())).await?;
        }
        Ok(())
    }
}

fn binary(text: String) -> Binary {
    Binary { subtype: BinarySubtype::Generic, bytes: text.into_bytes() }
}

fn payload(answer: &Document) -> String {
    answer.get_binary_generic("payload").map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
}

/// A message with one section, the command.
fn encode(id: i32, command: &Document) -> Result<Vec<u8>, WireError> {
    let body = command.to_vec().map_err(broken)?;
    let length = i32::try_from(HEADER + 5 + body.len()).map_err(|_| broken("the command is too long"))?;
    let mut message = Vec::with_capacity(HEADER + 5 + body.len());
    for part in [length, id, 0, OP_MSG, 0] {
        message.extend(part.to_le_bytes());
    }
    // The kind of the section: a single document.
    message.push(0);
    message.extend(body);
    Ok(message)
}

/// The document in a message, whose header was removed.
fn document(message: &[u8]) -> Result<&RawDocument, WireError> {
    let short = || broken("the server's answer is cut off");
    let (flags, rest) = message.split_first_chunk::<4>().ok_or_else(short)?;
    let sum = if u32::from_le_bytes(*flags) & CHECKSUM == 0 { 0 } else { 4 };
    let body = rest.get(..rest.len().saturating_sub(sum)).unwrap_or_default();
    match body.split_first() {
        Some((0, body)) => RawDocument::from_bytes(body).map_err(broken),
        Some(_) => Err(broken("the server's answer has an unknown form")),
        None => Err(short()),
    }
}

/// What the values of a document take in memory, in bytes of a message without small values. Nothing of it is decoded
/// before this is known: owners decide what it contains.
fn weight(
    values: &mut dyn Iterator<Item = Result<RawBsonRef<'_>, bson::error::Error>>,
    depth: usize,
) -> Result<usize, bson::error::Error> {
    let mut sum = CONTAINER;
    for value in values {
        sum += match value? {
            RawBsonRef::Document(_) | RawBsonRef::Array(_) if depth == 0 => LONGEST,
            RawBsonRef::Document(inner) => weight(&mut fields(inner), depth - 1)?,
            RawBsonRef::Array(inner) => weight(&mut inner.into_iter(), depth - 1)?,
            _ => VALUE,
        };
    }
    Ok(sum)
}

/// The values of a document.
fn fields(document: &RawDocument) -> impl Iterator<Item = Result<RawBsonRef<'_>, bson::error::Error>> {
    document.into_iter().map(|field| field.map(|(_, value)| value))
}

/// The answer, unless the server refused the command.
fn accepted(answer: Document) -> Result<Document, WireError> {
    if answer.get("ok").and_then(as_number) == Some(1) {
        return Ok(answer);
    }
    let message = answer.get_str("errmsg").unwrap_or("the server refused the command without a reason").to_owned();
    Err(WireError::Refused { code: answer.get_i32("code").unwrap_or(0), message })
}

fn number_at(bytes: &[u8], at: usize) -> i32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |four| i32::from_le_bytes(*four))
}

/// Whether a field is this text.
pub(super) fn is(document: &Document, field: &str, text: &str) -> bool {
    document.get_str(field).is_ok_and(|value| value == text)
}

/// A number of any type, rounded down.
#[expect(clippy::cast_possible_truncation, reason = "saturates, and no count or size is that large")]
pub(super) fn as_number(value: &Bson) -> Option<i64> {
    match value {
        Bson::Int32(n) => Some(i64::from(*n)),
        Bson::Int64(n) => Some(*n),
        Bson::Double(n) => Some(*n as i64),
        Bson::Boolean(b) => Some(i64::from(*b)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers each request with the next of these bodies.
    async fn answering(bodies: Vec<Vec<u8>>, asked: Document) -> Result<Vec<Document>, WireError> {
        let (ours, mut theirs) = tokio::io::duplex(1 << 16);
        let server = async move {
            for (n, body) in bodies.into_iter().enumerate() {
                let mut request = vec![0; 4];
                theirs.read_exact(&mut request).await.unwrap();
                let rest = number_at(&request, 0) - 4;
                let mut request = vec![0; rest.try_into().unwrap()];
                theirs.read_exact(&mut request).await.unwrap();
                let length = i32::try_from(HEADER + body.len()).unwrap();
                let header = [length, 0, i32::try_from(n).unwrap() + 1, OP_MSG].map(i32::to_le_bytes).concat();
                theirs.write_all(&[header, body].concat()).await.unwrap();
            }
        };
        let mut client = Client::new(ours);
        let ((), found) = tokio::join!(server, client.all("trial", asked));
        found
    }

    fn body(flags: u32, answer: &Document, after: &[u8]) -> Vec<u8> {
        [&flags.to_le_bytes()[..], &[0], &answer.to_vec().unwrap(), after].concat()
    }

    #[tokio::test]
    async fn a_cursor_is_read_to_its_end() {
        let first = doc! { "cursor": { "firstBatch": [{ "n": 1 }], "id": 7_i64, "ns": "trial.a.b" }, "ok": 1.0 };
        let second = doc! { "cursor": { "nextBatch": [{ "n": 2 }], "id": 0_i64, "ns": "trial.a.b" }, "ok": 1.0 };
        let found =
            answering(vec![body(0, &first, b""), body(CHECKSUM, &second, b"1234")], doc! { "find": "a.b" }).await;
        assert_eq!(found.unwrap(), [doc! { "n": 1 }, doc! { "n": 2 }]);
    }

    #[tokio::test]
    async fn an_error_contains_the_servers_message_and_code() {
        let refusal = doc! { "ok": 0.0, "errmsg": "Authentication failed.", "code": 18 };
        let found = answering(vec![body(0, &refusal, b"")], doc! { "find": "a" }).await.unwrap_err();
        assert_eq!((found.code(), found.to_string().as_str()), (Some(18), "Authentication failed."));
    }

    #[tokio::test]
    async fn too_many_small_values_are_rejected_before_decoding() {
        let small: Vec<_> = (0..250_000).map(|_| Bson::Document(doc! { "": Bson::Null })).collect();
        let list = doc! { "cursor": { "firstBatch": [{ "options": small }], "id": 0_i64, "ns": "trial.a" }, "ok": 1.0 };
        assert!(list.to_vec().unwrap().len() < LONGEST_LIST / 4);
        let found = answering(vec![body(0, &list, b"")], doc! { "listCollections": 1 }).await.unwrap_err();
        assert!(found.to_string().contains("takes more than 24 MiB"), "{found}");
        let mut deep = Bson::Null;
        for _ in 0..250 {
            deep = Bson::Array(vec![deep]);
        }
        let list = doc! { "cursor": { "firstBatch": [{ "deep": deep }], "id": 0_i64, "ns": "trial.a" }, "ok": 1.0 };
        assert!(answering(vec![body(0, &list, b"")], doc! { "find": "a" }).await.is_err());
    }

    #[tokio::test]
    async fn invalid_messages_are_errors() {
        for wrong in [vec![], vec![0; 4], body(0, &doc! {}, b""), vec![0, 0, 0, 0, 9, 5, 0, 0, 0, 0]] {
            assert!(answering(vec![wrong.clone()], doc! { "find": "a" }).await.is_err(), "{wrong:?}");
        }
        assert!(answering(vec![], doc! { "find": "a" }).await.unwrap_err().to_string().contains("closed"));
    }
}
