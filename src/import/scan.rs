//! Examines a dump while it arrives: its compression, its format, whether it is complete, and its databases.

use std::io;
use std::io::{Cursor, Read};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::domain::engine::EngineKind;
use crate::import::encoding::{Encoding, decoded};
use crate::import::files::unpack::{is_tar, look};
use crate::import::format::{ENDS, LOOK, of_head};
use crate::import::read_meter::{BytesRead, CountedReader, MeasuredReader, Tail};
use crate::import::unsupported::broken_by_redirection;
use crate::manifest::dump::{Dump, Packing};
use crate::sql::contents::contents;
use crate::tasks;

/// Maximum number of chunks between receiving and examining.
const WAITING: usize = 16;

/// Limits and hints for examining a dump.
#[derive(Debug, Clone, Copy)]
pub struct ReadLimits {
    /// Maximum bytes, decompressed.
    pub most: u64,
    /// The requested engine, to which statements in a common dialect are attributed.
    pub wanted: Option<EngineKind>,
}

/// Recognises the dump in `from`. Reads it to the end if its content must be examined.
pub fn recognise(mut from: Box<dyn Read + Send>, limits: ReadLimits) -> Result<Dump, String> {
    let unread = |e: io::Error| format!("Cannot read the file: {e}.");
    let mut head = Vec::new();
    from.by_ref().take(512).read_to_end(&mut head).map_err(unread)?;
    if let Some(broken) = broken_by_redirection(&head) {
        return Err(broken);
    }
    let packing = Packing::of(&head);
    let unpacked = move |e: io::Error| match (packing, e.kind()) {
        (Packing::None, _) | (_, io::ErrorKind::FileTooLarge) => format!("{e}."),
        _ => format!("The file is compressed and cannot be decompressed: {e}."),
    };
    let packed = BytesRead::default();
    let from = CountedReader(Cursor::new(head).chain(from), packed.clone());
    let whole = packing.unpacked(Box::new(from)).map_err(unpacked)?;
    let measured = MeasuredReader::new(whole, limits.most, packed, BytesRead::default());
    let tail = measured.tail();
    let mut whole: Box<dyn Read + Send> = Box::new(measured);
    let mut first = Vec::new();
    whole.by_ref().take(LOOK).read_to_end(&mut first).map_err(unpacked)?;
    let whole: Box<dyn Read + Send> = Box::new(Cursor::new(first.clone()).chain(whole));
    // Neo4j's own files are told apart below.
    if is_tar(&first) && !first.windows(9).any(|w| w == b"neostore.") {
        return look(whole, packing);
    }
    let encoding = Encoding::of(&first);
    let mut text = Vec::new();
    if encoding != Encoding::Plain {
        let (_, mut head) = decoded(Box::new(Cursor::new(first.clone()))).map_err(unread)?;
        head.read_to_end(&mut text).map_err(unread)?;
    }
    let head = if encoding == Encoding::Plain { &first } else { &text };
    let is_cluster = String::from_utf8_lossy(head.get(..4096).unwrap_or(head)).contains(CLUSTER);
    let mut dump = broken_by_redirection(&first).map_or_else(|| of_head(head, packing, limits.wanted), Err)?;
    let Some(dialect) = dump.format.dialect() else {
        if packing != Packing::None {
            let mut rest = whole;
            io::copy(&mut rest, &mut io::sink()).map_err(unpacked)?;
        }
        return Ok(dump);
    };
    if encoding.is_utf16() {
        dump.told.push(
            "The dump was converted from UTF-16, as written by PowerShell's “>”. Non-ASCII characters may already \
             have been damaged; check a few."
                .to_owned(),
        );
    }
    let (_, from) = decoded(whole).map_err(unread)?;
    let found = contents(from, dialect).map_err(unpacked)?;
    dump.databases = found.into_iter().map(|section| section.name).collect();
    if dump.databases.iter().all(String::is_empty) {
        dump.databases.clear();
    }
    // The dump of a whole server also contains the completion markers of its databases.
    if dump.says_its_end
        && !(is_whole(&tail, encoding) && (!is_cluster || tail_text(&tail, encoding).contains(CLUSTER_END)))
    {
        return Err(CUT.to_owned());
    }
    Ok(dump)
}

/// Message for a dump without a completion marker.
pub const CUT: &str = "The dump is truncated: it does not end with the completion marker. Create it again.";

/// First line of a dump of a whole server, and its completion marker.
const CLUSTER: &str = "-- PostgreSQL database cluster dump";
const CLUSTER_END: &str = "-- PostgreSQL database cluster dump complete";

/// Whether the last lines contain a completion marker.
pub fn is_whole(tail: &Tail, encoding: Encoding) -> bool {
    let end = tail_text(tail, encoding);
    ENDS.iter().any(|words| end.contains(words))
}

/// The last lines. In UTF-16, every other byte of this text is zero and is dropped.
fn tail_text(tail: &Tail, encoding: Encoding) -> String {
    let end = tail.text();
    if encoding.is_utf16() { end.replace('\0', "") } else { end }
}

/// Examines the chunks sent to it.
pub struct Scanner {
    out: Option<mpsc::Sender<Bytes>>,
    task: JoinHandle<Result<Dump, String>>,
}

impl Scanner {
    /// Starts a scan.
    pub fn new(limits: ReadLimits) -> Self {
        let (out, pieces) = mpsc::channel(WAITING);
        let from = ArrivingPieces { pieces, now: Bytes::new() };
        let task = tasks::blocking(move || recognise(Box::new(from), limits));
        Self { out: Some(out), task }
    }

    /// Adds the next chunk, unless the result is already known.
    pub async fn take(&mut self, piece: &[u8]) {
        if let Some(out) = &self.out
            && out.send(Bytes::copy_from_slice(piece)).await.is_err()
        {
            self.out = None;
        }
    }

    /// Whether the result is known before the end of the dump.
    pub fn has_answered(&self) -> bool {
        self.task.is_finished()
    }

    /// Ends the scan and returns its result.
    pub async fn done(mut self) -> Result<Dump, String> {
        self.out = None;
        self.task.await.map_err(|e| format!("Could not inspect the file: {e}."))?
    }
}

/// Reads chunks as they arrive.
struct ArrivingPieces {
    pieces: mpsc::Receiver<Bytes>,
    now: Bytes,
}

impl Read for ArrivingPieces {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.now.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.now = piece,
                None => return Ok(0),
            }
        }
        let n = self.now.len().min(out.len());
        if let Some(out) = out.get_mut(..n) {
            out.copy_from_slice(&self.now.split_to(n));
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use crate::import::scan::*;
    use crate::manifest::dump::Format;

    fn known(bytes: &[u8]) -> Result<Dump, String> {
        recognise(Box::new(Cursor::new(bytes.to_vec())), ReadLimits { most: 64 * 1024 * 1024, wanted: None })
    }

    fn case(name: &str) -> Vec<u8> {
        std::fs::read(format!("{}/tests/cases/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    #[test]
    fn byte_order_marks_and_utf16_are_handled() {
        for (name, format, told) in [
            ("bom.sql", Format::PgPlain, 0),
            ("bom-mysql.sql", Format::MariaSql, 0),
            ("crlf.sql", Format::PgPlain, 0),
            ("utf16.sql", Format::PgPlain, 1),
        ] {
            let dump = known(&case(&format!("bom-utf16/{name}"))).unwrap();
            assert_eq!((dump.format, dump.told.len(), dump.databases.len()), (format, told, 0), "{name}");
        }
        let cluster = String::from_utf8(case("pg-dumpall/cluster.sql")).unwrap();
        let wide: Vec<u8> = format!("\u{feff}{cluster}").encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(known(&wide).unwrap().databases, ["mice", "rats"]);
        let cut = wide.len() - 200;
        assert_eq!(known(wide.get(..cut).unwrap()).unwrap_err(), CUT);
    }

    #[test]
    fn decompression_bombs_are_stopped() {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut packer, b"select 1;\n").unwrap();
        let blanks = vec![b' '; 1024 * 1024];
        for _ in 0..65 {
            std::io::Write::write_all(&mut packer, &blanks).unwrap();
        }
        let said = known(&packer.finish().unwrap()).unwrap_err();
        assert!(said.contains("larger than 64 MiB"), "{said}");
    }
}
