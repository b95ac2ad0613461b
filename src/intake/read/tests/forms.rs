//! Bodies that are forms.

use super::*;

const FIELDS: &str = "
[fields]
interaction_id = { path = '$.interactionId', type = 'uuid', required = true }
nps_score = { path = '$.nps', type = 'integer' }
";

#[track_caller]
fn fields(keys: &str, body: &str) -> Json {
    more_fields(keys, "", body)
}

#[track_caller]
fn more_fields(keys: &str, more: &str, body: &str) -> Json {
    let toml = format!("preset = 'hmac-sha256'\n{keys}\n{FIELDS}{more}");
    let source = source(&toml, &["s"]).unwrap();
    match &source.read_kept(&Bytes::copy_from_slice(body.as_bytes()), NOW)[..] {
        [Reading::Survey { survey, .. }] => serde_json::to_value(&survey.fields).unwrap(),
        [Reading::Unreadable { kind, problems, .. }] => {
            json!([kind.status().as_u16(), problems[0].to_string()])
        }
        several => panic!("{several:?}"),
    }
}

#[test]
fn a_forms_fields_are_texts_that_become_what_they_should_be() {
    let body = format!("interactionId={ID}&nps=9.0&q%5B%5D=a+b&q%5B%5D=c");
    let all = "all = { path = \"$['q[]']\", type = 'string', take = 'last' }";
    let expected = json!({"interaction_id": ID, "nps_score": 9, "all": "c"});
    assert_eq!(more_fields("body = 'form'", all, &body), expected);
}

#[test]
fn of_a_field_that_was_sent_several_times_one_must_be_chosen() {
    let body = format!("interactionId={ID}&nps=1&q=2&q=3");
    let with = |path: &str, more: &str| {
        let x = format!("x = {{ path = '{path}', type = 'integer'{more} }}");
        more_fields("body = 'form'", &x, &body)
    };
    let told = with("$.q", "");
    assert_eq!(told[0], 422);
    let message = told[1].as_str().unwrap();
    assert!(
        message.contains("x ($.q): found more than once"),
        "{message}"
    );
    assert_eq!(with("$.q", ", take = 'first'")["x"], 2);
    assert_eq!(with("$.q", ", take = 'last'")["x"], 3);
    assert_eq!(with("$.q[1]", "")["x"], 3);
    assert_eq!(with("$.q[*]", ", take = 'first'")["x"], 2);
    // One is not several, whatever is taken.
    assert_eq!(with("$.nps", ", take = 'last'")["x"], 1);
}

#[test]
fn json_in_a_field_is_the_body() {
    let json = json!({"interactionId": ID, "nps": 3}).to_string();
    let expected = json!({"interaction_id": ID, "nps_score": 3});
    let encoded: String = form_urlencoded::byte_serialize(json.as_bytes()).collect();
    assert_eq!(
        fields("body = 'form:MSG'", &format!("HMAC=x&MSG={encoded}")),
        expected
    );
    let part = format!(
        "--b\r\nContent-Disposition: form-data; name=\"rawRequest\"\r\n\r\n{json}\r\n--b--\r\n"
    );
    assert_eq!(fields("body = 'multipart:rawRequest'", &part), expected);
}

#[test]
fn a_form_without_its_field_is_a_matter_of_fields_and_a_broken_one_is_malformed() {
    for (keys, body, status, message) in [
        (
            "body = 'form:MSG'",
            "msg=1",
            422,
            "the form has no such field",
        ),
        ("body = 'form:MSG'", "MSG=1&MSG=2", 400, "more than once"),
        ("body = 'form:MSG'", "MSG=%7B", 400, "not JSON"),
        ("body = 'form:MSG'", "MSG=%", 400, "hexadecimal"),
        ("body = 'form'", "nps=%ff", 400, "not UTF-8"),
        ("body = 'form'", "nps=1", 422, "missing"),
        ("body = 'multipart:x'", "{}", 400, "no boundary"),
        (
            "body = 'multipart:x'",
            "--b\r\n",
            400,
            "broken or not complete",
        ),
    ] {
        let told = fields(keys, body);
        assert_eq!(told[0], status, "{keys} {body}: {told}");
        assert!(
            told[1].as_str().unwrap().contains(message),
            "{keys} {body}: {told}"
        );
    }
}

#[test]
fn content_types_follow_the_kind_of_body_and_a_list_replaces_them() {
    let takes = |keys: &str, content_type: Option<&str>| {
        let toml = format!("preset = 'hmac-sha256'\n{keys}\n{FIELDS}");
        source(&toml, &["s"]).unwrap().takes(content_type)
    };
    let (form, multipart) = (
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=b",
    );
    for (keys, taken, untaken) in [
        ("", Some("application/json"), Some(form)),
        ("", None, Some(multipart)),
        ("body = 'form'", Some(form), Some("application/json")),
        (
            "body = 'form:MSG'",
            Some("Application/X-WWW-Form-Urlencoded;charset=utf-8"),
            None,
        ),
        ("body = 'multipart:x'", Some(multipart), Some(form)),
        (
            "body = 'form'\ncontent_types = ['text/plain', '']",
            None,
            Some(form),
        ),
    ] {
        assert!(takes(keys, taken), "{keys} {taken:?}");
        assert!(!takes(keys, untaken), "{keys} {untaken:?}");
    }
}
