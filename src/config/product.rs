//! What depends on the product: the defaults of some keys, and which options there are.

use super::{Api, Config, Number, Wrong};
use crate::model::ProductName;

/// The service's address. VOD's operations are called in Shanghai alone (SIBLING-APIS.md, F).
const fn endpoint(product: ProductName) -> &'static str {
    match product {
        ProductName::Vod => "https://vod.cn-shanghai.aliyuncs.com",
        ProductName::Cdn => "https://cdn.aliyuncs.com",
        ProductName::Dcdn => "https://dcdn.aliyuncs.com",
    }
}

/// Prefetches that an account has per day (VOD-API.md, "Limits"; SIBLING-APIS.md, B).
const fn prefetches_a_day(product: ProductName) -> u32 {
    match product {
        ProductName::Vod => 500,
        ProductName::Cdn | ProductName::Dcdn => 1_000,
    }
}

impl Config {
    /// Sets the keys that are not given and whose default is the product's.
    pub(super) fn set_defaults_of_product(&mut self, is_given: impl Fn(&str, &str) -> bool) {
        let product = self.api.product;
        if !is_given("api", "endpoint") {
            self.api.endpoint = endpoint(product).parse().expect("the products' endpoints are URLs");
        }
        if !is_given("budget", "requests_per_day") {
            self.budget.requests_per_day = Number::fixed(prefetches_a_day(product));
        }
    }
}

impl Api {
    /// Checks that the product has what is asked for.
    pub(super) fn check_product(&self) -> Result<(), Wrong> {
        use ProductName::{Cdn, Dcdn};
        let options = [
            ("query_hashkey", self.query_hashkey.is_some(), [Cdn, Dcdn].as_slice()),
            ("consistency_hash", self.consistency_hash.is_some(), &[Cdn]),
        ];
        if let Some((key, _, products)) =
            options.into_iter().find(|(_, is_given, products)| *is_given && !products.contains(&self.product))
        {
            let products: Vec<String> = products.iter().map(|product| format!("\"{}\"", product.word())).collect();
            let what = format!(
                "\"{}\" has no such option, only {}; leave it out, or set [api] product",
                self.product.word(),
                products.join(" and ")
            );
            return Err(("api", key, what));
        }
        if let Some(other) = self.endpoint_of().filter(|other| *other != self.product) {
            let what = format!(
                "this is the address of \"{}\", and [api] product is \"{}\"; correct one of the two",
                other.word(),
                self.product.word()
            );
            return Err(("api", "endpoint", what));
        }
        Ok(())
    }

    /// Whose address the vendor gives the endpoint's name to; none of a name that is not the vendor's.
    fn endpoint_of(&self) -> Option<ProductName> {
        let host = self.endpoint.host();
        let (first, rest) = host.split_once('.')?;
        let product = first.strip_suffix("-vpc").unwrap_or(first).parse().ok()?;
        rest.ends_with("aliyuncs.com").then_some(product)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_given_is_the_products() {
        for (product, endpoint, requests) in [
            ("vod", "https://vod.cn-shanghai.aliyuncs.com/", 500),
            ("cdn", "https://cdn.aliyuncs.com/", 1_000),
            ("dcdn", "https://dcdn.aliyuncs.com/", 1_000),
        ] {
            let config = Config::from_toml(&format!("[api]\nproduct = \"{product}\"")).unwrap();
            assert_eq!(config.api.endpoint.to_string(), endpoint.trim_end_matches('/'), "{product}");
            assert_eq!(config.budget.requests_per_day.get(), requests, "{product}");
            let given = "endpoint = \"http://127.0.0.1:1\"\n[budget]\nrequests_per_day = 7";
            let config = Config::from_toml(&format!("[api]\nproduct = \"{product}\"\n{given}")).unwrap();
            assert!(config.api.endpoint.is_loopback() && config.budget.requests_per_day.get() == 7);
        }
        assert_eq!(Config::from_toml("").unwrap(), Config::default());
    }

    #[test]
    fn an_option_that_the_product_does_not_have_is_refused_with_those_that_have_it() {
        let read = |text: &str| Config::from_toml(&format!("[api]\n{text}\n"));
        for text in [
            "product = \"cdn\"\nquery_hashkey = true\nconsistency_hash = false",
            "product = \"dcdn\"\nquery_hashkey = false",
            "area = \"unset\"",
        ] {
            read(text).expect(text);
        }
        for (text, parts) in [
            ("query_hashkey = true", ["line 2", "\"vod\" has no such option", "\"cdn\" and \"dcdn\""]),
            ("product = \"dcdn\"\nconsistency_hash = true", ["line 3", "consistency_hash", "only \"cdn\";"]),
            ("product = \"film\"", ["line 2", "product", "`dcdn`"]),
        ] {
            let error = read(text).expect_err(text);
            assert!(parts.iter().all(|part| error.contains(part)), "{text}: {error}");
        }
    }

    #[test]
    fn the_address_of_another_product_is_refused() {
        let read = |product: &str, host: &str| {
            Config::from_toml(&format!("[api]\nproduct = \"{product}\"\nendpoint = \"https://{host}\"\n"))
        };
        for (product, host) in [
            ("vod", "vod-vpc.cn-shanghai.aliyuncs.com"),
            ("cdn", "cdn.ap-southeast-1.aliyuncs.com"),
            ("cdn", "cdn.vpc-proxy.aliyuncs.com"),
            ("dcdn", "cdn.example.com"),
        ] {
            read(product, host).expect(host);
        }
        for (product, host) in [("cdn", "dcdn.aliyuncs.com"), ("vod", "cdn.aliyuncs.com")] {
            let error = read(product, host).expect_err(host);
            assert!(error.contains("line 3") && error.contains("correct one of the two"), "{error}");
        }
    }
}
