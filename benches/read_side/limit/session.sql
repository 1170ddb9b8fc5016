SELECT a.role, a.unit_id, a.region_id
FROM session s JOIN account a ON a.id = s.account_id
WHERE s.hash = $1 AND s.revoked_at IS NULL AND s.expires_at > $2 AND NOT a.is_disabled
