INSERT INTO account (name)
    VALUES ('A');
INSERT INTO account (name)
    VALUES ('B');
INSERT INTO project (name, description, maximum_privileges)
    VALUES ('P', '', 5);
INSERT INTO membership (project, account)
    VALUES ('P', 'A');
INSERT INTO membership (project, account)
    VALUES ('P', 'B');
INSERT INTO dbobject (object_id, class_name, creation_date, is_valid, quality_flags, content_digest, creator, project, privileges)
    VALUES ('01a2086a-1c2f-7902-ad3b-9ebe4fe68dba', 'OldRemark', '2025-12-01T20:00:00.000000', 0, 0, NULL, 'A', 'P', 2);
INSERT INTO dbobject (object_id, class_name, creation_date, is_valid, quality_flags, content_digest, creator, project, privileges)
    VALUES ('01a2086a-1c2f-7ac0-a8c6-bbceae86a33a', 'OldRemark', '2025-12-01T20:00:00.000000', 1, 0, NULL, 'A', 'P', 1);
INSERT INTO old_remark (object_id, words, seen, about)
    VALUES ('01a2086a-1c2f-7902-ad3b-9ebe4fe68dba', 'clouds', '2025-12-03T04:05:06.700000', NULL);
INSERT INTO old_remark (object_id, words, seen, about)
    VALUES ('01a2086a-1c2f-7ac0-a8c6-bbceae86a33a', 'None', NULL, NULL);
INSERT INTO event (at, kind, object_id, attribute, old, new, who)
    VALUES ('2025-12-01T20:00:00.000000', 'made', '01a2086a-1c2f-7902-ad3b-9ebe4fe68dba', NULL, NULL, NULL, 'A');
INSERT INTO event (at, kind, object_id, attribute, old, new, who)
    VALUES ('2025-12-01T20:00:00.000000', 'made', '01a2086a-1c2f-7ac0-a8c6-bbceae86a33a', NULL, NULL, NULL, 'A');
INSERT INTO event (at, kind, object_id, attribute, old, new, who)
    VALUES ('2025-12-02T20:00:00.000000', 'changed', '01a2086a-1c2f-7902-ad3b-9ebe4fe68dba', 'words', 'first', 'None', 'A');
INSERT INTO event (at, kind, object_id, attribute, old, new, who)
    VALUES ('2025-12-03T20:00:00.000000', 'changed', '01a2086a-1c2f-7902-ad3b-9ebe4fe68dba', 'words', 'None', 'None', 'A');
INSERT INTO event (at, kind, object_id, attribute, old, new, who)
    VALUES ('2025-12-04T20:00:00.000000', 'changed', '01a2086a-1c2f-7902-ad3b-9ebe4fe68dba', 'seen', 'None', '2025-12-02 00:00:00', 'A');
INSERT INTO event (at, kind, object_id, attribute, old, new, who)
    VALUES ('2025-12-04T20:00:00.000000', 'changed', '01a2086a-1c2f-7902-ad3b-9ebe4fe68dba', 'words', 'None', 'clouds', 'A');
INSERT INTO event (at, kind, object_id, attribute, old, new, who)
    VALUES ('2025-12-05T20:00:00.000000', 'changed', '01a2086a-1c2f-7902-ad3b-9ebe4fe68dba', 'about', 'None', '01a2086a-1c2f-7ac0-a8c6-bbceae86a33a', 'A');
INSERT INTO event (at, kind, object_id, attribute, old, new, who)
    VALUES ('2025-12-06T20:00:00.000000', 'changed', '01a2086a-1c2f-7902-ad3b-9ebe4fe68dba', 'about', '01a2086a-1c2f-7ac0-a8c6-bbceae86a33a', 'None', 'A');
INSERT INTO event (at, kind, object_id, attribute, old, new, who)
    VALUES ('2025-12-06T20:00:00.000000', 'changed', '01a2086a-1c2f-7902-ad3b-9ebe4fe68dba', 'seen', '2025-12-02 00:00:00', '2025-12-03 04:05:06.700000', 'A');
INSERT INTO event (at, kind, object_id, attribute, old, new, who)
    VALUES ('2025-12-07T20:00:00.000000', 'changed', '01a2086a-1c2f-7902-ad3b-9ebe4fe68dba', 'is_valid', '1', '0', 'A');
INSERT INTO event (at, kind, object_id, attribute, old, new, who)
    VALUES ('2025-12-08T20:00:00.000000', 'changed', '01a2086a-1c2f-7902-ad3b-9ebe4fe68dba', '_privileges', '1', '2', 'A');
INSERT INTO event (at, kind, object_id, attribute, old, new, who)
    VALUES ('2025-12-09T20:00:00.000000', 'changed', '01a2086a-1c2f-7ac0-a8c6-bbceae86a33a', 'words', 'None', 'None', 'A');
