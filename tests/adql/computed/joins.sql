SELECT things.id, label FROM things, kinds
--> [(t.id, k.label) for t, k in product(T, K)]

SELECT id, label FROM things JOIN kinds ON things.kind = kinds.kind
--> [(t.id, k.label) for t, k in product(T, K) if t.kind is not None and t.kind == k.kind]

SELECT id, label FROM things INNER JOIN kinds USING (kind)
--> [(t.id, k.label) for t, k in product(T, K) if t.kind is not None and t.kind == k.kind]

SELECT kind, id, label FROM things NATURAL JOIN kinds
--> [(t.kind, t.id, k.label) for t, k in product(T, K) if t.kind is not None and t.kind == k.kind]

SELECT id, label FROM things LEFT JOIN kinds USING (kind)
--> [(t.id, k.label) for t, k in product(T, K) if t.kind is not None and t.kind == k.kind]
   + [(t.id, None) for t in T if t.kind is None or t.kind not in {k.kind for k in K}]

SELECT id, label FROM things NATURAL LEFT OUTER JOIN kinds
--> [(t.id, k.label) for t, k in product(T, K) if t.kind is not None and t.kind == k.kind]
   + [(t.id, None) for t in T if t.kind is None or t.kind not in {k.kind for k in K}]

SELECT kind, id, label FROM things RIGHT OUTER JOIN kinds USING (kind)
--> [(k.kind, t.id, k.label) for t, k in product(T, K) if t.kind is not None and t.kind == k.kind]
   + [(k.kind, None, k.label) for k in K if k.kind is None or k.kind not in {t.kind for t in T}]

SELECT kind, id, label FROM things FULL OUTER JOIN kinds USING (kind)
--> [(t.kind, t.id, k.label) for t, k in product(T, K) if t.kind is not None and t.kind == k.kind]
   + [(t.kind, t.id, None) for t in T if t.kind is None or t.kind not in {k.kind for k in K}]
   + [(k.kind, None, k.label) for k in K if k.kind is None or k.kind not in {t.kind for t in T}]

SELECT kind, id, label FROM things NATURAL FULL JOIN kinds
--> [(t.kind, t.id, k.label) for t, k in product(T, K) if t.kind is not None and t.kind == k.kind]
   + [(t.kind, t.id, None) for t in T if t.kind is None or t.kind not in {k.kind for k in K}]
   + [(k.kind, None, k.label) for k in K if k.kind is None or k.kind not in {t.kind for t in T}]

SELECT id, label FROM things FULL JOIN kinds ON n > low AND n < high
--> (lambda pairs: [(t.id, k.label) for t, k in pairs] + [(t.id, None) for t in T if t not in [p[0] for p in pairs]]
   + [(None, k.label) for k in K if k not in [p[1] for p in pairs]])(where(product(T, K), lambda p: p[1].low < p[0].n < p[1].high))

SELECT id, label FROM things FULL JOIN kinds ON things.kind = kinds.kind AND n > low
--> (lambda pairs: [(t.id, k.label) for t, k in pairs] + [(t.id, None) for t in T if t not in [p[0] for p in pairs]]
   + [(None, k.label) for k in K if k not in [p[1] for p in pairs]])(where(product(T, K), lambda p: p[0].kind == p[1].kind is not None, lambda p: p[0].n > p[1].low))

SELECT t.id, COUNT(label) FROM things t LEFT JOIN kinds ON n BETWEEN low AND high GROUP BY t.id
--> [(t.id, len(known(k.label for k in where(K, lambda k: k.low <= t.n <= k.high)))) for t in T]

SELECT a.id, b.id, c.label FROM things a JOIN things b ON a.n = b.n AND a.id < b.id LEFT JOIN kinds c ON c.kind = a.kind
--> [(1, 9, 'first')]

SELECT a.id, q.label FROM things a LEFT JOIN (kinds q JOIN kinds r ON q.low = r.high) ON a.kind = q.kind WHERE a.id IN (1, 3, 9)
--> [(a.id, q.label) for a in T if a.id in (1, 3, 9) for q in K if a.kind is not None and a.kind == q.kind and any(q.low == r.high for r in K)]
   + [(a.id, None) for a in T if a.id in (1, 3, 9) and not any(a.kind is not None and a.kind == q.kind and any(q.low == r.high for r in K) for q in K)]

SELECT kind, COUNT(*) FROM kinds a JOIN kinds b USING (kind) JOIN kinds c USING (kind) GROUP BY kind
--> [(k, n ** 3) for k, n in Counter(k.kind for k in K).items() if k is not None]

SELECT q.kind, low FROM (SELECT DISTINCT kind FROM things) AS q JOIN kinds ON q.kind = kinds.kind
--> [(k.kind, k.low) for k in K if k.kind is not None and k.kind in {t.kind for t in T}]

SELECT a.kind, b.kind FROM kinds a FULL JOIN kinds b ON a.kind < b.kind AND a.high = b.low
--> (lambda pairs: [(a.kind, b.kind) for a, b in pairs] + [(a.kind, None) for a in K if a not in [p[0] for p in pairs]]
   + [(None, b.kind) for b in K if b not in [p[1] for p in pairs]])(where(product(K, K), lambda p: p[0].kind < p[1].kind and p[0].high == p[1].low))

SELECT a.label, b.label FROM kinds a LEFT JOIN kinds b ON a.kind = b.kind AND b.low > 0 WHERE b.label IS NULL
--> [(a.label, None) for a in K if not any(b.kind == a.kind is not None and b.low > 0 for b in K)] + [(None, None)]

SELECT COUNT(*) FROM kinds a JOIN kinds b ON a.low < b.low OR a.kind = b.kind
--> [len(where(product(K, K), lambda p: (p[0].low is not None and p[1].low is not None and p[0].low < p[1].low) or p[0].kind == p[1].kind is not None))]

SELECT id FROM things JOIN nothing USING (id)
--> []

SELECT things.id, x FROM things LEFT JOIN nothing ON things.id = nothing.id
--> [(t.id, None) for t in T]

SELECT things.id FROM nothing FULL JOIN things ON nothing.id > things.id
--> [t.id for t in T]
