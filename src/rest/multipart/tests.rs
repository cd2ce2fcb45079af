//! Tests of the parser: the result does not depend on how the body is split.

use crate::rest::multipart::*;
use proptest::prelude::*;

/// A parsed part.
type ReadPart = (PartHead, Vec<u8>);

fn read(content_type: &str, pieces: &[&[u8]]) -> Result<Vec<ReadPart>, MalformedMultipart> {
    let mut parser = Multipart::new(content_type).ok_or(MalformedMultipart::Boundary)?;
    let (mut parts, mut open) = (Vec::<ReadPart>::new(), false);
    let mut longest = 0;
    for piece in pieces {
        parser.feed(piece, &mut |event| {
            match event {
                MultipartEvent::Part(head) => {
                    assert!(!std::mem::replace(&mut open, true));
                    parts.push((head, Vec::new()));
                }
                MultipartEvent::Data(bytes) => {
                    assert!(open && !bytes.is_empty());
                    parts.last_mut().unwrap().1.extend_from_slice(bytes);
                }
                MultipartEvent::End => assert!(std::mem::replace(&mut open, false)),
            }
            Ok::<(), MalformedMultipart>(())
        })?;
        longest = longest.max(parser.rest.len());
    }
    assert!(longest <= HEADER_BYTES + BOUNDARY_CHARS + 8, "{longest} bytes were held");
    parser.finish().map(|()| parts)
}

const TYPE: &str = "multipart/form-data; boundary=XyZ";

fn whole(body: &str) -> Result<Vec<ReadPart>, MalformedMultipart> {
    read(TYPE, &[body.as_bytes()])
}

fn file(name: &str, more: &str, content: &str) -> String {
    format!("--XyZ\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n{content}\r\n")
}

#[test]
fn fields_and_files_are_read_as_they_were_sent() {
    let body =
        file("space_id", "", "s1") + &file("file", "; filename=\"a b.txt\"\r\nContent-Type: text/plain", "x\r\n--Xy");
    let parts = whole(&(body + "--XyZ--\r\nwhatever follows")).unwrap();
    assert_eq!(parts.len(), 2);
    assert_eq!(
        (parts[0].0.name.as_str(), parts[0].0.filename.as_deref(), &parts[0].1[..]),
        ("space_id", None, &b"s1"[..])
    );
    assert_eq!(parts[1].0.filename.as_deref(), Some("a b.txt"));
    assert_eq!(parts[1].0.content_type.as_deref(), Some("text/plain"));
    assert_eq!(parts[1].1, b"x\r\n--Xy");
    assert_eq!(whole(&(file("empty", "", "") + "--XyZ--")).unwrap()[0].1, b"");
}

#[test]
fn names_are_read_in_every_form_that_clients_send() {
    let name = |more: &str| whole(&(file("f", more, "") + "--XyZ--")).unwrap()[0].0.filename.clone();
    assert_eq!(name("; filename=plain.txt"), Some("plain.txt".into()));
    assert_eq!(name(r#"; filename="a\"b\c.txt""#), Some(r#"a"b\c.txt"#.into()));
    assert_eq!(name("; filename=\"x\"; filename*=UTF-8''na%C3%AFve%20file.md"), Some("naïve file.md".into()));
    assert_eq!(name("; filename=\"x\"; filename*=latin1''%E4"), Some("x".into()));
    assert_eq!(name("; filename=\"../../etc/passwd\""), Some("../../etc/passwd".into()));
}

#[test]
fn what_is_malformed_is_refused() {
    let end = "--XyZ--";
    for (body, why) in [
        (String::new(), MalformedMultipart::Truncated),
        ("no boundary".into(), MalformedMultipart::Start),
        ("--Other\r\n".into(), MalformedMultipart::Start),
        ("--XyZx".into(), MalformedMultipart::Boundary),
        (file("f", "", "x"), MalformedMultipart::Truncated),
        (file("f", "", "x") + "--XyZ", MalformedMultipart::Truncated),
        (file("f", "", "x") + "--XyZ-", MalformedMultipart::Truncated),
        (
            format!("--XyZ\r\nContent-Disposition: attachment; name=\"f\"\r\n\r\nx\r\n{end}"),
            MalformedMultipart::Headers,
        ),
        (format!("--XyZ\r\nContent-Type: text/plain\r\n\r\nx\r\n{end}"), MalformedMultipart::Headers),
        (format!("--XyZ\r\nContent-Disposition: form-data\r\n\r\nx\r\n{end}"), MalformedMultipart::Headers),
        (format!("--XyZ\r\nContent-Disposition: form-data; name=\"f\r\n\r\nx\r\n{end}"), MalformedMultipart::Headers),
        (format!("--XyZ\r\nX: {}", "x".repeat(HEADER_BYTES)), MalformedMultipart::Headers),
        (file("f", "", "x").repeat(PARTS + 1) + end, MalformedMultipart::Parts),
    ] {
        assert_eq!(whole(&body), Err(why), "{body:.80}");
    }
    for bad in
        ["", "multipart/form-data", "multipart/mixed; boundary=x", "multipart/form-data; boundary=", "application/json"]
    {
        assert!(Multipart::new(bad).is_none(), "{bad}");
    }
    assert!(Multipart::new(&format!("multipart/form-data; boundary={}", "x".repeat(71))).is_none());
    assert!(Multipart::new("Multipart/Form-Data; charset=utf-8; boundary=\"a b:c\"").is_some());
}

fn cut<'a>(body: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|at| at % (body.len() + 1)).collect();
    places.sort_unstable();
    places.push(body.len());
    let mut from = 0;
    places.into_iter().map(|to| &body[std::mem::replace(&mut from, to)..to]).collect()
}

proptest! {
    #[test]
    fn contents_come_back_however_the_body_is_cut(
        contents in prop::collection::vec("[\r\n\\-XyZ ]{0,40}", 0..4),
        cuts in prop::collection::vec(any::<usize>(), 0..30),
    ) {
        prop_assume!(contents.iter().all(|content| !format!("\r\n{content}\r\n").contains("\r\n--XyZ")));
        let parts: String = contents.iter().map(|content| file("f", "; filename=x", content)).collect();
        let body = if contents.is_empty() { "--XyZ--".to_owned() } else { parts + "--XyZ--\r\n" };
        let read = read(TYPE, &cut(body.as_bytes(), &cuts)).unwrap();
        let wanted: Vec<&[u8]> = contents.iter().map(String::as_bytes).collect();
        prop_assert_eq!(read.iter().map(|(_, content)| &content[..]).collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn any_bytes_are_read_the_same_in_one_piece_or_in_many(
        body in prop::collection::vec(prop::sample::select(b"\r\n-XyZ:;=\" abContent-Disposition: form-data; name=f".to_vec()), 0..300),
        cuts in prop::collection::vec(any::<usize>(), 0..30),
    ) {
        let mut all = b"--XyZ\r\n".to_vec();
        all.extend_from_slice(&body);
        prop_assert_eq!(read(TYPE, &cut(&all, &cuts)), read(TYPE, &[&all]));
    }
}
