//! `platform.environment`: a region by its name, or a domain. Pure.

/// Names of regions and their domains: the cloud's name for it, and the short one where the domain is not made of it.
const NAMED: [(&str, &str, &str); 6] = [
    ("us-east-1", "use1", "mypurecloud.com"),
    ("eu-west-1", "euw1", "mypurecloud.ie"),
    ("ap-southeast-2", "apse2", "mypurecloud.com.au"),
    ("ap-northeast-1", "apne1", "mypurecloud.jp"),
    ("eu-central-1", "euc1", "mypurecloud.de"),
    ("us-east-2", "use2", "use2.us-gov-pure.cloud"),
];
/// The others: `<short name>.pure.cloud`.
const SHORT: [(&str, &str); 11] = [
    ("us-west-2", "usw2"),
    ("ca-central-1", "cac1"),
    ("ap-northeast-2", "apne2"),
    ("ap-northeast-3", "apne3"),
    ("eu-west-2", "euw2"),
    ("eu-central-2", "euc2"),
    ("ap-south-1", "aps1"),
    ("ap-southeast-1", "apse1"),
    ("sa-east-1", "sae1"),
    ("me-central-1", "mec1"),
    ("mx-central-1", "mxc1"),
];

/// The domain that is meant. Any domain is one; a word without a dot has to be a region that is known.
pub(super) fn domain(text: &str) -> Result<String, String> {
    let is = |name: &str| text.eq_ignore_ascii_case(name);
    if let Some((.., domain)) = NAMED.iter().find(|(long, short, _)| is(long) || is(short)) {
        return Ok((*domain).to_owned());
    }
    if let Some((_, short)) = SHORT.iter().find(|(long, short)| is(long) || is(short)) {
        return Ok(format!("{short}.pure.cloud"));
    }
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    if !text.is_empty() && !text.contains('.') && text.bytes().all(letter) {
        let own = NAMED.iter().map(|(_, short, _)| *short);
        let names: Vec<_> = own.chain(SHORT.iter().map(|(_, short)| *short)).collect();
        return Err(format!(
            "not a region that is known: write its domain, such as \"usw2.pure.cloud\", or one of {}",
            names.join(", ")
        ));
    }
    let shape = text.contains('.') && !text.starts_with('.') && !text.ends_with('.');
    if shape && text.bytes().all(letter) {
        return Ok(text.to_owned());
    }
    Err("not a domain: write one such as \"mypurecloud.com\", without https:// and api.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_a_name_or_any_domain() {
        for (text, expected) in [
            ("mypurecloud.com", "mypurecloud.com"),
            ("use1", "mypurecloud.com"),
            ("us-east-1", "mypurecloud.com"),
            ("EUC1", "mypurecloud.de"),
            ("ap-southeast-2", "mypurecloud.com.au"),
            ("usw2", "usw2.pure.cloud"),
            ("us-west-2", "usw2.pure.cloud"),
            ("mxc1", "mxc1.pure.cloud"),
            ("use2", "use2.us-gov-pure.cloud"),
            ("new1.pure.cloud", "new1.pure.cloud"),
            ("genesys.example.com", "genesys.example.com"),
        ] {
            assert_eq!(domain(text).as_deref(), Ok(expected), "{text}");
        }
        for (text, part) in [
            ("usw9", "one of use1, euw1"),
            ("localhost", "one of use1, euw1"),
            ("", "not a domain"),
            ("https://api.mypurecloud.com", "not a domain"),
            (".com", "not a domain"),
        ] {
            let problem = domain(text).unwrap_err();
            assert!(problem.contains(part), "{text}: {problem}");
        }
    }
}
