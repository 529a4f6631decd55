//! Statements: their text for each engine, their parameters, and how they are run. No type of a driver leaves this
//! module.

use std::borrow::Cow;

use futures_util::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Postgres, RawSql, Sqlite};

use super::conn::Engine;
use super::row::{Get, Row};
use super::{Conn, Error, Readers, Result};

/// The text of a statement. Parameters are `?1`, `?2`, and so on, which both of SQLite's drivers number; to one of them
/// `$1` would be a name, numbered as it appears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sql {
    lite: &'static str,
    postgres: &'static str,
}

impl Sql {
    /// One text, which means the same to both engines.
    pub const fn both(text: &'static str) -> Self {
        Self { lite: text, postgres: text }
    }

    /// A form for each, where one text cannot mean the same to both.
    pub const fn two(lite: &'static str, postgres: &'static str) -> Self {
        Self { lite, postgres }
    }

    /// The text for SQLite.
    pub const fn lite(self) -> &'static str {
        self.lite
    }

    /// The text for PostgreSQL.
    pub fn postgres(self) -> String {
        rendered(self.postgres)
    }
}

/// A text as PostgreSQL wants it: without the hints for SQLite's planner, which index to walk and in which order to
/// join, and with its own spelling of parameters and of an array of values.
fn rendered(text: &str) -> String {
    let mut rendered = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = HINTS.iter().filter_map(|(hint, _)| rest.find(hint)).min() {
        let (hint, instead) = HINTS.iter().find(|(hint, _)| rest[at..].starts_with(hint)).expect("it was found there");
        rendered.push_str(&rest[..at]);
        rendered.push_str(instead);
        rest = &rest[at + hint.len()..];
        if *hint == INDEXED {
            rest = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
        }
    }
    rendered.push_str(rest);
    rendered
}

/// What [`rendered`] replaces. No statement has a `?` in a literal.
const HINTS: [(&str, &str); 4] =
    [(INDEXED, ""), ("cross join ", "join "), ("json_array(", "json_build_array("), ("?", "$")];

const INDEXED: &str = " indexed by ";

/// What a query runs: a [`Sql`], or a text that is made when it is needed.
#[derive(Debug, Clone)]
pub struct Text(Inner);

#[derive(Debug, Clone)]
enum Inner {
    Fixed(Sql),
    Made(String),
}

impl From<Sql> for Text {
    fn from(sql: Sql) -> Self {
        Self(Inner::Fixed(sql))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Inner::Made(text))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Inner::Made(text.to_owned()))
    }
}

/// A value that goes to the database. Flags go as 0 and 1; the absence of a value has a type, too.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'q> {
    /// A whole number.
    Int(Option<i64>),
    /// A number with a fraction.
    Real(Option<f64>),
    /// A text.
    Text(Option<Cow<'q, str>>),
}

/// A column of values, for a statement about many rows: see [`super::Bulk::run_each`].
#[derive(Debug, Clone, Copy)]
pub enum Column<'q> {
    /// Whole numbers.
    Ints(&'q [Option<i64>]),
    /// Texts.
    Texts(&'q [Option<&'q str>]),
}

impl<'q> Column<'q> {
    /// How many rows it has.
    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Ints(values) => values.len(),
            Self::Texts(values) => values.len(),
        }
    }

    /// Its value for this row.
    pub(super) fn at(&self, row: usize) -> Value<'q> {
        match self {
            Self::Ints(values) => Value::Int(values[row]),
            Self::Texts(values) => Value::Text(values[row].map(Cow::Borrowed)),
        }
    }
}

/// What can be bound to a parameter.
pub trait Parameter<'q> {
    /// Its value.
    fn value(self) -> Value<'q>;

    /// The absence of one.
    fn null() -> Value<'q>;
}

impl<'q, T> Parameter<'q> for &'q Option<T>
where
    &'q T: Parameter<'q>,
{
    fn value(self) -> Value<'q> {
        self.as_ref().value()
    }

    fn null() -> Value<'q> {
        <&T>::null()
    }
}

impl<'q, T: Parameter<'q>> Parameter<'q> for Option<T> {
    fn value(self) -> Value<'q> {
        self.map_or_else(T::null, T::value)
    }

    fn null() -> Value<'q> {
        T::null()
    }
}

macro_rules! parameters {
    ($($kind:ident: $($from:ty)*, $to:expr;)*) => {$($(
        impl<'q> Parameter<'q> for $from {
            fn value(self) -> Value<'q> {
                Value::$kind(Some(($to)(self)))
            }

            fn null() -> Value<'q> {
                Value::$kind(None)
            }
        }
    )*)*};
}

parameters! {
    Int: i64 i32 u32 u16 u8 bool, i64::from;
    Real: f64, std::convert::identity;
    Text: String &'q str &'q String Cow<'q, str>, Cow::from;
}

/// The values for [`super::Bulk`]'s statements, in the order of their parameters.
macro_rules! args {
    ($($value:expr),* $(,)?) => {
        [$($crate::store::Parameter::value($value)),*]
    };
}
pub(crate) use args;

/// A statement with its parameters.
#[derive(Debug, Clone)]
#[must_use = "it is not run yet"]
pub struct Query<'q> {
    text: Text,
    values: Vec<Value<'q>>,
}

/// The same with all its values.
pub(super) fn query_with<'q>(sql: Sql, values: &[Value<'q>]) -> Query<'q> {
    Query { text: sql.into(), values: values.to_vec() }
}

/// The same with columns, which PostgreSQL gets as arrays. These are too large for literals, so it takes two journeys,
/// and only in a transaction, which has its connection for itself.
pub(super) fn query_each<'q>(
    sql: Sql,
    values: &[Value<'q>],
    columns: &[Column<'q>],
) -> sqlx::query::Query<'q, Postgres, PgArguments> {
    let query = sqlx::query(AssertSqlSafe(sql.postgres())).persistent(false);
    let query = values.iter().cloned().fold(query, |query, value| match value {
        Value::Int(value) => query.bind(value),
        Value::Real(value) => query.bind(value),
        Value::Text(value) => query.bind(value),
    });
    columns.iter().fold(query, |query, column| match *column {
        Column::Ints(values) => query.bind(values),
        Column::Texts(values) => query.bind(values),
    })
}

/// Prepares to run a statement.
pub fn query<'q>(text: impl Into<Text>) -> Query<'q> {
    Query { text: text.into(), values: Vec::new() }
}

/// Where a statement runs.
#[derive(Debug)]
pub enum Place<'c> {
    /// On this connection.
    Conn(&'c mut Conn),
    /// On one of the read-only connections.
    Readers(&'c Readers),
}

impl<'c> From<&'c mut Conn> for Place<'c> {
    fn from(conn: &'c mut Conn) -> Self {
        Self::Conn(conn)
    }
}

impl<'c> From<&'c Readers> for Place<'c> {
    fn from(readers: &'c Readers) -> Self {
        Self::Readers(readers)
    }
}

/// Runs the first with a connection of SQLite's driver, or the second with one of PostgreSQL's.
macro_rules! on {
    ($place:expr, $conn:ident => $lite:expr, $postgres:expr) => {{
        let mut lent;
        let conn = match $place.into() {
            Place::Conn(conn) => conn,
            Place::Readers(readers) => {
                lent = readers.acquire().await?;
                &mut lent
            }
        };
        match conn.engine() {
            Engine::Lite($conn) => $lite,
            Engine::Postgres($conn) => $postgres,
        }
    }};
}

impl<'q> Query<'q> {
    /// The value of the next parameter.
    pub fn bind(mut self, value: impl Parameter<'q>) -> Self {
        self.values.push(value.value());
        self
    }

    /// Runs it; tells how many rows it changed.
    pub async fn execute<'c>(self, place: impl Into<Place<'c>>) -> Result<u64> {
        Ok(on!(place, conn => self.lite().execute(conn).await?.rows_affected(),
                              self.postgres().execute(conn).await?.rows_affected()))
    }

    /// All its rows.
    pub async fn fetch_all<'c>(self, place: impl Into<Place<'c>>) -> Result<Vec<Row>> {
        Ok(on!(place, conn => self.lite().fetch_all(conn).await?.into_iter().map(Row::from).collect(),
                              self.postgres().fetch_all(conn).await?.into_iter().map(Row::from).collect()))
    }

    /// Its first row, if there is one.
    pub async fn fetch_optional<'c>(self, place: impl Into<Place<'c>>) -> Result<Option<Row>> {
        Ok(on!(place, conn => self.lite().fetch_optional(conn).await?.map(Row::from),
                              self.postgres().fetch_optional(conn).await?.map(Row::from)))
    }

    /// Its first row.
    ///
    /// # Errors
    ///
    /// There is none.
    pub async fn fetch_one<'c>(self, place: impl Into<Place<'c>>) -> Result<Row> {
        self.fetch_optional(place).await?.ok_or_else(Error::no_row)
    }

    /// Its rows, one after the other, for results that are large.
    pub fn fetch<'c>(self, conn: &'c mut Conn) -> BoxStream<'c, Result<Row>>
    where
        'q: 'c,
    {
        match conn.engine() {
            Engine::Lite(conn) => self.lite().fetch(conn).map_ok(Row::from).map_err(Error::from).boxed(),
            Engine::Postgres(conn) => self.postgres().fetch(conn).map_ok(Row::from).map_err(Error::from).boxed(),
        }
    }

    fn lite(self) -> sqlx::query::Query<'q, Sqlite, SqliteArguments> {
        let query = match self.text.0 {
            Inner::Fixed(sql) => sqlx::query(sql.lite()),
            Inner::Made(text) => sqlx::query(AssertSqlSafe(text)),
        };
        self.values.into_iter().fold(query, |query, value| match value {
            Value::Int(value) => query.bind(value),
            Value::Real(value) => query.bind(value),
            Value::Text(value) => query.bind(value),
        })
    }

    /// One journey, and nothing stays behind it. A statement that is prepared first needs two, and behind a pooler that
    /// lends a connection for a transaction the second may find what another program has prepared.
    fn postgres(self) -> RawSql {
        let text = match self.text.0 {
            Inner::Fixed(sql) => sql.postgres(),
            Inner::Made(text) => rendered(&text),
        };
        sqlx::raw_sql(AssertSqlSafe(with_values(&text, &self.values)))
    }
}

/// A text for PostgreSQL with its values in place of its parameters. No statement has a `$` but before their numbers.
fn with_values(text: &str, values: &[Value<'_>]) -> String {
    let mut parts = text.split('$');
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let (number, rest) = part.split_at(digits);
        let value = number.parse::<usize>().ok().and_then(|number| values.get(number.checked_sub(1)?));
        match value {
            Some(value) => whole.push_str(&literal(value)),
            // The server says what is wrong with it.
            None => whole.extend(["$", number]),
        }
        whole.push_str(rest);
    }
    whole
}

/// A value as a literal of its type, whatever the server's settings are.
fn literal(value: &Value<'_>) -> String {
    match value {
        Value::Int(Some(value)) => format!("cast('{value}' as bigint)"),
        Value::Real(Some(value)) => format!("cast('{value}' as double precision)"),
        // A backslash means itself only in some settings; escaped in this form it does in all.
        Value::Text(Some(value)) if value.contains('\\') => {
            format!("cast(E'{}' as text)", value.replace('\\', r"\\").replace('\'', "''"))
        }
        Value::Text(Some(value)) => format!("cast('{}' as text)", value.replace('\'', "''")),
        Value::Int(None) => "cast(null as bigint)".to_owned(),
        Value::Real(None) => "cast(null as double precision)".to_owned(),
        Value::Text(None) => "cast(null as text)".to_owned(),
    }
}

/// A statement that gives one value a row.
#[derive(Debug, Clone)]
#[must_use = "it is not run yet"]
pub struct Scalar<'q, T> {
    query: Query<'q>,
    of: std::marker::PhantomData<fn() -> T>,
}

/// Prepares to run a statement of whose rows only the first column is wanted.
pub fn query_scalar<'q, T>(text: impl Into<Text>) -> Scalar<'q, T> {
    Scalar { query: query(text), of: std::marker::PhantomData }
}

impl<'q, T> Scalar<'q, T>
where
    T: for<'r> Get<'r>,
{
    /// The value of the next parameter.
    pub fn bind(self, value: impl Parameter<'q>) -> Self {
        Self { query: self.query.bind(value), ..self }
    }

    /// The values of all rows.
    pub async fn fetch_all<'c>(self, place: impl Into<Place<'c>>) -> Result<Vec<T>> {
        Ok(self.query.fetch_all(place).await?.iter().map(|row| row.get(0)).collect())
    }

    /// The value of the first row, if there is one.
    pub async fn fetch_optional<'c>(self, place: impl Into<Place<'c>>) -> Result<Option<T>> {
        Ok(self.query.fetch_optional(place).await?.map(|row| row.get(0)))
    }

    /// The value of the first row.
    ///
    /// # Errors
    ///
    /// There is none.
    pub async fn fetch_one<'c>(self, place: impl Into<Place<'c>>) -> Result<T> {
        Ok(self.query.fetch_one(place).await?.get(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_for_sqlite_are_not_told_to_postgresql() {
        let sql = Sql::both("select json_array(a) from b as c indexed by d_e2 cross join f where g = ?1 or h = ?12");
        assert_eq!(sql.postgres(), "select json_build_array(a) from b as c join f where g = $1 or h = $12");
        assert!(sql.lite().contains("indexed by d_e2 cross join f where g = ?1"));
        assert_eq!(Sql::two("one", "two ?1").postgres(), "two $1");
    }

    #[test]
    fn a_value_stays_a_value_whatever_is_in_it() {
        let values = args![-7, 2.5, "it's $1; --", r"a\'b", None::<i64>, "z"];
        let text = with_values("select $1, $2, $3, $4, $5, $1, $7", &values);
        let expected = [
            "select cast('-7' as bigint)",
            "cast('2.5' as double precision)",
            "cast('it''s $1; --' as text)",
            r"cast(E'a\\''b' as text)",
            "cast(null as bigint)",
            "cast('-7' as bigint)",
            "$7",
        ];
        assert_eq!(text, expected.join(", "));
    }
}
