SELECT LOWER(name), UPPER(name) FROM things
--> [(compute(str.lower, t.name), compute(str.upper, t.name)) for t in T]

SELECT name || '-' || kind, '' || name FROM things
--> [(compute(lambda a, b: a + '-' + b, t.name, t.kind), t.name) for t in T]

SELECT id FROM things WHERE name = 'alpha'
--> [t.id for t in T if t.name == 'alpha']

SELECT id FROM things WHERE name = ''
--> [t.id for t in T if t.name == '']

SELECT id FROM things WHERE name <> 'alpha'
--> [t.id for t in T if t.name is not None and t.name != 'alpha']

SELECT id FROM things WHERE name LIKE 'a%'
--> [t.id for t in T if t.name and t.name.startswith('a')]

SELECT id FROM things WHERE name LIKE '_lpha'
--> [t.id for t in T if t.name and t.name[1:] == 'lpha' and len(t.name) == 5]

SELECT id FROM things WHERE name LIKE '%'
--> [t.id for t in T if t.name is not None]

SELECT id FROM things WHERE name LIKE ''
--> [t.id for t in T if t.name == '']

SELECT id FROM things WHERE name LIKE '%\'
--> [t.id for t in T if t.name and t.name.endswith(chr(92))]

SELECT id FROM things WHERE name LIKE 'É__'
--> [t.id for t in T if t.name and t.name[0] == 'É']

SELECT id FROM things WHERE name LIKE '%日_'
--> [t.id for t in T if t.name and '日' in t.name]

SELECT id FROM things WHERE name NOT LIKE '%a%'
--> [t.id for t in T if t.name is not None and 'a' not in t.name]

SELECT id FROM things WHERE name ILIKE 'ÉTÉ'
--> [t.id for t in T if t.name and t.name.lower() == 'été']

SELECT id FROM things WHERE name ILIKE 'σας%'
--> [t.id for t in T if t.name and t.name.startswith('ΣΑΣ')]

SELECT id FROM things WHERE name ILIKE '%Ж%' AND name NOT ILIKE 'x%'
--> [t.id for t in T if t.name and 'Ж' in t.name]

SELECT id FROM things WHERE name ILIKE 'ALPHA' OR name NOT ILIKE '%A%'
--> [t.id for t in T if t.name is not None and (t.name.lower() == 'alpha' or 'a' not in t.name.lower())]

SELECT id FROM things WHERE name LIKE kind || '%'
--> [t.id for t in T if t.name is not None and t.kind is not None and t.name.startswith(t.kind)]

SELECT id FROM things WHERE name < 'a'
--> [t.id for t in T if t.name is not None and t.name < 'a']

SELECT id FROM things WHERE name >= 'Z' AND name <= 'Ω'
--> [t.id for t in T if t.name is not None and 'Z' <= t.name <= 'Ω']

SELECT id FROM things WHERE name BETWEEN 'A' AND 'alpha'
--> [t.id for t in T if t.name is not None and 'A' <= t.name <= 'alpha']

SELECT a.id, b.id FROM things a JOIN things b ON a.name > b.name WHERE a.id < 4 AND b.id < 4
--> [(a.id, b.id) for a, b in product(T, T) if 0 < a.id < 4 and 0 < b.id < 4 and a.name > b.name]
   + [(a.id, b.id) for a, b in product(T, T) if (a.id < 0 and b.id < 4 or b.id < 0 and 0 < a.id < 4) and a.name > b.name]

SELECT DISTINCT name FROM things ORDER BY name
--> sorted(known({t.name for t in T})) + [None]

SELECT name, COUNT(*) FROM things GROUP BY name ORDER BY name DESC
--> sorted(Counter(known(t.name for t in T)).items(), reverse=True) + [(None, 1)]

SELECT MIN(LOWER(name)), MAX(UPPER(name)) FROM things
--> [(min(known(compute(str.lower, t.name) for t in T)), max(known(compute(str.upper, t.name) for t in T)))]

SELECT id FROM things WHERE name IN ('Alpha', 'été', '', 'it''s ß 日本')
--> [t.id for t in T if t.name in ('Alpha', 'été', '', "it's ß 日本")]

SELECT UPPER('ß'), LOWER('İ'), LOWER('ΑΣ'), UPPER('ﬁ'), 'a' || '' FROM things WHERE id = 1
--> [('SS', 'i̇', 'ας', 'FI', 'a')]

SELECT COALESCE(name, kind, 'none') FROM things WHERE id IN (5, 6)
--> ['', 'none']
