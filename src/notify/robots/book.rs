//! What each robot was told: the table `robots`.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::model::{Time, from_millis, to_millis};
use crate::store::{Conn, Readers, Result, Sql, WriteTx, query};

/// Most notices that one message tells of.
const NOTICES_MAX: u32 = 500;

const ROW: Sql = Sql::both("select told, tried_at, failures, too_fast, failed_why from robots where name = ?1");

const BEGIN: Sql = Sql::both(
    "
    insert into robots (name, told) values (?1, (select coalesce(max(notice_id), 0) from notices))
    on conflict (name) do nothing",
);

const UPDATE: Sql = Sql::both(
    "
    update robots set told = ?2, tried_at = ?3, failures = ?4, too_fast = ?5, failed_why = ?6 where name = ?1",
);

const UNHEARD: Sql = Sql::both(
    "
    select notice_id, at, event from notices where notice_id > ?1 order by notice_id limit ?2",
);

const STATES: Sql =
    Sql::both("select name, tried_at, failures, failed_why, notices_waiting from v_robots order by name");

/// What became of the messages to a robot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RobotState {
    /// When it was last sent a message, RFC 3339.
    pub tried_at: Option<String>,
    /// Failures in a row.
    pub failures: u32,
    /// Why the last one failed.
    pub failed_why: Option<String>,
    /// Notices that it has not heard.
    pub notices_waiting: i64,
}

/// The robots that were told something, by name.
///
/// # Errors
///
/// The database failed.
pub async fn robot_states(conn: &mut Conn) -> Result<Vec<(String, RobotState)>> {
    let rows = query(STATES).fetch_all(conn).await?;
    let state = |row: &crate::store::Row| RobotState {
        tried_at: row.get(1),
        failures: row.get(2),
        failed_why: row.get(3),
        notices_waiting: row.get(4),
    };
    Ok(rows.iter().map(|row| (row.get(0), state(row))).collect())
}

/// What is known of a robot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Row {
    /// The last notice that it heard.
    pub(super) told: i64,
    /// When it was last sent a message.
    pub(super) tried_at: Option<Time>,
    pub(super) failures: u32,
    /// The last message came too soon after others.
    pub(super) too_fast: bool,
    pub(super) failed_why: Option<String>,
}

/// What is known of the robot of this name; none if it is new.
pub(super) async fn row(pool: &Readers, name: &str) -> Result<Option<Row>> {
    let row = query(ROW).bind(name).fetch_optional(pool).await?;
    Ok(row.map(|row| Row {
        told: row.get(0),
        tried_at: row.get::<Option<i64>, _>(1).map(from_millis),
        failures: row.get(2),
        too_fast: row.get(3),
        failed_why: row.get(4),
    }))
}

/// Begins with a new robot: it hears of what happens from now on.
pub(super) async fn begin_tx(tx: &mut WriteTx<'_>, name: &str) -> Result<()> {
    query(BEGIN).bind(name).execute(tx.conn()).await?;
    Ok(())
}

pub(super) async fn update_tx(tx: &mut WriteTx<'_>, name: &str, row: &Row) -> Result<()> {
    let query = query(UPDATE).bind(name).bind(row.told).bind(row.tried_at.map(to_millis));
    query.bind(row.failures).bind(row.too_fast).bind(&row.failed_why).execute(tx.conn()).await?;
    Ok(())
}

/// Notices after this one, as JSON objects, without those before `since`; and the last of them, if there are any.
pub(super) async fn unheard(pool: &Readers, told: i64, since: Time) -> Result<(Option<i64>, Vec<Value>)> {
    let rows = query(UNHEARD).bind(told).bind(NOTICES_MAX).fetch_all(pool).await?;
    let last = rows.last().map(|row| row.get(0));
    let fresh = rows.iter().filter(|row| row.get::<i64, _>(1) >= to_millis(since));
    let events = fresh.filter_map(|row| serde_json::from_str(row.get(2)).ok()).collect();
    Ok((last, events))
}
