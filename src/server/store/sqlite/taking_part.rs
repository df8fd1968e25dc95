//! Who takes part in a thread, and what each may do there.

use async_trait::async_trait;
use netra_ws::{
    ThreadId, Timestamp, UserId,
    model::{Author, MemberRole, Role},
};
use sqlx::{Row, query, query_as, query_scalar, sqlite::SqliteRow};
use uuid::Uuid;

use super::{
    super::{
        StoreError,
        taking_part::{
            Inviting, MAX_BLOCKS, MAX_INVITATIONS, MAX_MEMBERS, Spent, Standing, TakingPart, ThreadInvitation,
        },
    },
    SqliteStore, millis, now,
    readers::count_change,
    seq, timestamp, to_i64,
};

fn author(row: &SqliteRow) -> Result<Author, StoreError> {
    Ok(Author { id: row.try_get::<Uuid, _>("id")?.into(), name: row.try_get("name")? })
}

#[async_trait]
impl TakingPart for SqliteStore {
    async fn invite(
        &self,
        thread: ThreadId,
        by: UserId,
        user: UserId,
        role: MemberRole,
    ) -> Result<Inviting, StoreError> {
        let mut tx = self.write().await?;
        let (member, members, from_one, from_all, blocked): (bool, i64, i64, i64, bool) = query_as(
            "SELECT EXISTS (SELECT 1 FROM members WHERE thread_id = ?1 AND user_id = ?2),
                 (SELECT COUNT(*) FROM members WHERE thread_id = ?1),
                 (SELECT COUNT(*) FROM members WHERE user_id = ?2 AND accepted_at IS NULL AND invited_by = ?3),
                 (SELECT COUNT(*) FROM members WHERE user_id = ?2 AND accepted_at IS NULL),
                 EXISTS (SELECT 1 FROM blocks WHERE user_id = ?2 AND blocked_id = ?3)",
        )
        .bind(thread.uuid())
        .bind(user.uuid())
        .bind(by.uuid())
        .fetch_one(&mut *tx)
        .await?;
        let (most_from_one, most) = MAX_INVITATIONS;
        if member {
            return Ok(Inviting::IsMember);
        }
        if blocked {
            return Ok(Inviting::Blocked);
        }
        if members >= to_i64(MAX_MEMBERS) {
            return Ok(Inviting::Full);
        }
        if from_one >= to_i64(most_from_one) || from_all >= to_i64(most) {
            return Ok(Inviting::TooMany);
        }
        query("INSERT INTO members (thread_id, user_id, added_at, role, invited_by) VALUES (?, ?, ?, ?, ?)")
            .bind(thread.uuid())
            .bind(user.uuid())
            .bind(now())
            .bind(role.as_str())
            .bind(by.uuid())
            .execute(&mut *tx)
            .await?;
        count_change(&mut tx, thread).await?;
        tx.commit().await?;
        Ok(Inviting::Made)
    }

    async fn thread_invitations(&self, user: UserId) -> Result<Vec<ThreadInvitation>, StoreError> {
        let rows = query(
            "SELECT t.id AS thread_id, t.title, m.role, m.added_at, u.id, u.name
             FROM members AS m JOIN threads AS t ON t.id = m.thread_id
             JOIN users AS u ON u.id = COALESCE(m.invited_by, t.user_id)
             WHERE m.user_id = ? AND m.accepted_at IS NULL ORDER BY m.added_at DESC, t.id LIMIT ?",
        )
        .bind(user.uuid())
        .bind(to_i64(MAX_INVITATIONS.1))
        .fetch_all(&self.readers)
        .await?;
        let invitation = |row: &SqliteRow| {
            Ok(ThreadInvitation {
                thread_id: row.try_get::<Uuid, _>("thread_id")?.into(),
                title: row.try_get("title")?,
                invited_by: author(row)?,
                role: MemberRole::from(row.try_get::<&str, _>("role")?),
                created_at: timestamp(row.try_get("added_at")?),
            })
        };
        rows.iter().map(invitation).collect()
    }

    async fn accept_invitation(&self, thread: ThreadId, user: UserId) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let accepted =
            query("UPDATE members SET accepted_at = ? WHERE thread_id = ? AND user_id = ? AND accepted_at IS NULL")
                .bind(now())
                .bind(thread.uuid())
                .bind(user.uuid())
                .execute(&mut *tx)
                .await?;
        count_change(&mut tx, thread).await?;
        tx.commit().await?;
        Ok(accepted.rows_affected() > 0)
    }

    async fn set_member_role(&self, thread: ThreadId, user: UserId, role: MemberRole) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let changed = query("UPDATE members SET role = ? WHERE thread_id = ? AND user_id = ?")
            .bind(role.as_str())
            .bind(thread.uuid())
            .bind(user.uuid())
            .execute(&mut *tx)
            .await?;
        count_change(&mut tx, thread).await?;
        tx.commit().await?;
        Ok(changed.rows_affected() > 0)
    }

    async fn address_of(&self, user: UserId) -> Result<Option<String>, StoreError> {
        let address: Option<Option<String>> = query_scalar("SELECT email FROM users WHERE id = ?")
            .bind(user.uuid())
            .fetch_optional(&self.readers)
            .await?;
        Ok(address.flatten())
    }

    async fn spent(&self, user: UserId, since: Timestamp) -> Result<Spent, StoreError> {
        let (tokens, micros): (i64, f64) = query_as(
            "SELECT COALESCE(SUM(usage ->> '$.total_tokens'), 0), COALESCE(TOTAL(usage ->> '$.cost_usd_micros'), 0.0)
             FROM runs WHERE asked_by = ? AND created_at >= ?",
        )
        .bind(user.uuid())
        .bind(millis(since))
        .fetch_one(&self.readers)
        .await?;
        Ok(Spent { tokens: seq(tokens), cost: micros / 1_000_000.0 })
    }

    async fn standing(&self, user: UserId, thread: Option<ThreadId>) -> Result<Option<Standing>, StoreError> {
        let row = query(
            "SELECT u.role, u.address_due, ?2 IS NULL OR t.user_id = ?1 AS owns, m.role AS member, m.accepted_at,
                 (SELECT COUNT(*) FROM runs WHERE asked_by = ?1 AND thread_id = ?2 AND status IN ('queued', 'running'))
                     + (SELECT COUNT(*) FROM runs WHERE asked_by = ?1 AND thread_id = ?2 AND status = 'waiting')
                     AS unfinished_here,
                 (SELECT COUNT(*) FROM runs WHERE asked_by = ?1 AND status IN ('queued', 'running'))
                     + (SELECT COUNT(*) FROM runs WHERE asked_by = ?1 AND status = 'waiting') AS unfinished
             FROM users AS u LEFT JOIN threads AS t ON t.id = ?2
             LEFT JOIN members AS m ON m.thread_id = ?2 AND m.user_id = ?1
             WHERE u.id = ?1",
        )
        .bind(user.uuid())
        .bind(thread.map(ThreadId::uuid))
        .fetch_optional(&self.readers)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let owns = row.try_get::<Option<bool>, _>("owns")?.unwrap_or_default();
        let member = row.try_get::<Option<String>, _>("member")?.map(|role| MemberRole::from(role.as_str()));
        if !owns && member.is_none() {
            return Ok(None);
        }
        Ok(Some(Standing {
            role: Role::from(row.try_get::<&str, _>("role")?),
            address_due: row.try_get("address_due")?,
            writes: owns || member == Some(MemberRole::Writer),
            invited: !owns && row.try_get::<Option<i64>, _>("accepted_at")?.is_none(),
            unfinished_here: seq(row.try_get("unfinished_here")?),
            unfinished: seq(row.try_get("unfinished")?),
        }))
    }

    async fn shared_with(&self, owner: UserId, other: UserId) -> Result<Vec<ThreadId>, StoreError> {
        let threads: Vec<Uuid> = query_scalar(
            "SELECT m.thread_id FROM members AS m JOIN threads AS t ON t.id = m.thread_id
             WHERE m.user_id = ? AND t.user_id = ?",
        )
        .bind(other.uuid())
        .bind(owner.uuid())
        .fetch_all(&self.readers)
        .await?;
        Ok(threads.into_iter().map(Into::into).collect())
    }

    async fn block(&self, user: UserId, blocked: UserId) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let count: i64 =
            query_scalar("SELECT COUNT(*) FROM blocks WHERE user_id = ?").bind(user.uuid()).fetch_one(&mut *tx).await?;
        if count >= to_i64(MAX_BLOCKS) {
            return Ok(false);
        }
        query("INSERT INTO blocks (user_id, blocked_id, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")
            .bind(user.uuid())
            .bind(blocked.uuid())
            .bind(now())
            .execute(&mut *tx)
            .await?;
        query("DELETE FROM members WHERE user_id = ? AND invited_by = ? AND accepted_at IS NULL")
            .bind(user.uuid())
            .bind(blocked.uuid())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn unblock(&self, user: UserId, blocked: UserId) -> Result<bool, StoreError> {
        let removed = query("DELETE FROM blocks WHERE user_id = ? AND blocked_id = ?")
            .bind(user.uuid())
            .bind(blocked.uuid())
            .execute(&self.writer)
            .await?;
        Ok(removed.rows_affected() > 0)
    }

    async fn blocked(&self, user: UserId) -> Result<Vec<Author>, StoreError> {
        let rows = query(
            "SELECT u.id, u.name FROM blocks AS b JOIN users AS u ON u.id = b.blocked_id WHERE b.user_id = ?
             ORDER BY u.name, u.id",
        )
        .bind(user.uuid())
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(author).collect()
    }
}
