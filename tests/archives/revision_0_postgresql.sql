CREATE TABLE account (
    name VARCHAR(100) NOT NULL,
    CONSTRAINT pk_account PRIMARY KEY (name)
);

CREATE TABLE catalogue_entry (
    name VARCHAR(200) NOT NULL,
    id VARCHAR(36) NOT NULL,
    creator VARCHAR(100) NOT NULL,
    project VARCHAR(100) NOT NULL,
    privileges SMALLINT NOT NULL,
    made TIMESTAMP WITHOUT TIME ZONE NOT NULL,
    told TEXT NOT NULL,
    CONSTRAINT pk_catalogue_entry PRIMARY KEY (name),
    UNIQUE (id)
);

CREATE TABLE catalogue_retired (
    id VARCHAR(36) NOT NULL,
    at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
    CONSTRAINT pk_catalogue_retired PRIMARY KEY (id)
);

CREATE TABLE catalogue_state (
    one INTEGER NOT NULL,
    version BIGINT NOT NULL,
    CONSTRAINT pk_catalogue_state PRIMARY KEY (one)
);

CREATE TABLE claim (
    derivation_key VARCHAR(64) NOT NULL,
    holder VARCHAR(36) NOT NULL,
    host VARCHAR(255) NOT NULL,
    pid INTEGER NOT NULL,
    expires TIMESTAMP WITHOUT TIME ZONE NOT NULL,
    CONSTRAINT pk_claim PRIMARY KEY (derivation_key)
);

CREATE TABLE counter (
    name VARCHAR(40) NOT NULL,
    value BIGINT NOT NULL,
    CONSTRAINT pk_counter PRIMARY KEY (name)
);

CREATE TABLE dbobject (
    object_id VARCHAR(36) NOT NULL,
    class_name VARCHAR(100) NOT NULL,
    creation_date TIMESTAMP WITHOUT TIME ZONE,
    is_valid SMALLINT,
    quality_flags INTEGER,
    content_digest TEXT,
    creator TEXT,
    project TEXT,
    privileges SMALLINT,
    CONSTRAINT pk_dbobject PRIMARY KEY (object_id)
);
CREATE INDEX ix_dbobject_class_name ON dbobject (class_name);
CREATE INDEX ix_dbobject_content_digest ON dbobject (content_digest);
CREATE INDEX ix_dbobject_creation_date ON dbobject (creation_date);

CREATE TABLE event (
    id BIGSERIAL NOT NULL,
    at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
    kind VARCHAR(40) NOT NULL,
    object_id VARCHAR(36),
    attribute VARCHAR(100),
    "old" TEXT,
    "new" TEXT,
    who VARCHAR(100),
    CONSTRAINT pk_event PRIMARY KEY (id)
);
CREATE INDEX ix_event_object_id ON event (object_id);

CREATE TABLE job (
    id VARCHAR(32) NOT NULL,
    service VARCHAR(20) NOT NULL,
    phase VARCHAR(10) NOT NULL,
    owner VARCHAR(100),
    who VARCHAR(200) NOT NULL,
    created TIMESTAMP WITHOUT TIME ZONE NOT NULL,
    destruction TIMESTAMP WITHOUT TIME ZONE NOT NULL,
    run_id TEXT,
    project VARCHAR(100) NOT NULL,
    level SMALLINT NOT NULL,
    duration INTEGER NOT NULL,
    queued TIMESTAMP WITHOUT TIME ZONE,
    started TIMESTAMP WITHOUT TIME ZONE,
    ended TIMESTAMP WITHOUT TIME ZONE,
    attempts INTEGER NOT NULL,
    holder VARCHAR(36),
    host VARCHAR(255),
    expires TIMESTAMP WITHOUT TIME ZONE,
    rows BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    fault VARCHAR(9),
    message TEXT,
    plan TEXT,
    results TEXT NOT NULL,
    parameters TEXT NOT NULL,
    CONSTRAINT pk_job PRIMARY KEY (id)
);
CREATE INDEX ix_job_destruction ON job (destruction);
CREATE INDEX ix_job_list ON job (service, who, created, id);
CREATE INDEX ix_job_queue ON job (phase, who, queued);

CREATE TABLE listing_state (
    name VARCHAR(40) NOT NULL,
    last_event BIGINT NOT NULL,
    CONSTRAINT pk_listing_state PRIMARY KEY (name)
);

CREATE TABLE making (
    id VARCHAR(36) NOT NULL,
    who VARCHAR(200) NOT NULL,
    what TEXT NOT NULL,
    expires TIMESTAMP WITHOUT TIME ZONE NOT NULL,
    CONSTRAINT pk_making PRIMARY KEY (id)
);
CREATE INDEX ix_making_who ON making (who);

CREATE TABLE observation (
    dataproduct_type TEXT,
    calib_level INTEGER,
    obs_collection TEXT,
    obs_id TEXT,
    access_estsize BIGINT,
    target_name TEXT,
    s_ra DOUBLE PRECISION,
    s_dec DOUBLE PRECISION,
    s_fov DOUBLE PRECISION,
    s_region TEXT,
    s_resolution DOUBLE PRECISION,
    s_xel1 BIGINT,
    s_xel2 BIGINT,
    t_min DOUBLE PRECISION,
    t_max DOUBLE PRECISION,
    t_exptime DOUBLE PRECISION,
    t_resolution DOUBLE PRECISION,
    t_xel BIGINT,
    em_min DOUBLE PRECISION,
    em_max DOUBLE PRECISION,
    em_res_power DOUBLE PRECISION,
    em_xel BIGINT,
    o_ucd TEXT,
    pol_states TEXT,
    pol_xel BIGINT,
    facility_name TEXT,
    instrument_name TEXT,
    row VARCHAR(100) NOT NULL,
    class_name VARCHAR(100) NOT NULL,
    raw_id VARCHAR(36) NOT NULL,
    filter_name VARCHAR(100),
    CONSTRAINT pk_observation PRIMARY KEY (row)
);
CREATE INDEX ix_observation_class_name ON observation (class_name);
CREATE INDEX ix_observation_raw_id ON observation (raw_id);

CREATE TABLE observation_cover (
    lo BIGINT NOT NULL,
    hi BIGINT NOT NULL,
    row VARCHAR(100) NOT NULL
);
CREATE INDEX ix_observation_cover_lo_hi_row ON observation_cover (lo, hi, row);
CREATE INDEX ix_observation_cover_row ON observation_cover (row);

CREATE TABLE observation_edge (
    row VARCHAR(100) NOT NULL,
    ra DOUBLE PRECISION,
    dec DOUBLE PRECISION,
    radius DOUBLE PRECISION,
    chord_2 DOUBLE PRECISION,
    sine DOUBLE PRECISION,
    side DOUBLE PRECISION,
    a_x DOUBLE PRECISION,
    a_y DOUBLE PRECISION,
    a_z DOUBLE PRECISION,
    b_x DOUBLE PRECISION,
    b_y DOUBLE PRECISION,
    b_z DOUBLE PRECISION,
    n_x DOUBLE PRECISION,
    n_y DOUBLE PRECISION,
    n_z DOUBLE PRECISION,
    after_x DOUBLE PRECISION,
    after_y DOUBLE PRECISION,
    after_z DOUBLE PRECISION,
    before_x DOUBLE PRECISION,
    before_y DOUBLE PRECISION,
    before_z DOUBLE PRECISION,
    enters_x DOUBLE PRECISION,
    enters_y DOUBLE PRECISION,
    enters_z DOUBLE PRECISION,
    leaves_x DOUBLE PRECISION,
    leaves_y DOUBLE PRECISION,
    leaves_z DOUBLE PRECISION
);
CREATE INDEX ix_observation_edge_row ON observation_edge (row);

CREATE TABLE project (
    name VARCHAR(100) NOT NULL,
    description TEXT,
    maximum_privileges SMALLINT NOT NULL,
    CONSTRAINT pk_project PRIMARY KEY (name)
);

CREATE TABLE source (
    slid BIGINT NOT NULL,
    sid INTEGER NOT NULL,
    ra DOUBLE PRECISION,
    dec DOUBLE PRECISION,
    x DOUBLE PRECISION,
    y DOUBLE PRECISION,
    flux_aper DOUBLE PRECISION,
    fluxerr_aper DOUBLE PRECISION,
    mag_aper REAL,
    magerr_aper REAL,
    flux_auto DOUBLE PRECISION,
    fluxerr_auto DOUBLE PRECISION,
    mag_auto REAL,
    magerr_auto REAL,
    peak REAL,
    background REAL,
    threshold REAL,
    fwhm REAL,
    ellipticity REAL,
    a_image REAL,
    b_image REAL,
    theta_image REAL,
    flags INTEGER,
    npix INTEGER,
    hpx29 BIGINT,
    CONSTRAINT pk_source PRIMARY KEY (slid, sid)
);
CREATE INDEX ix_source_hpx29 ON source (hpx29);

CREATE TABLE source_owner (
    slid BIGSERIAL NOT NULL,
    object_id VARCHAR(36) NOT NULL,
    CONSTRAINT pk_source_owner PRIMARY KEY (slid)
);
CREATE INDEX ix_source_owner_object_id ON source_owner (object_id);

CREATE TABLE tap_schema_columns (
    table_name TEXT,
    column_name TEXT,
    datatype TEXT,
    arraysize TEXT,
    xtype TEXT,
    size INTEGER,
    description TEXT,
    utype TEXT,
    unit TEXT,
    ucd TEXT,
    indexed INTEGER,
    principal INTEGER,
    std INTEGER,
    column_index INTEGER,
    creator VARCHAR(100) NOT NULL,
    project VARCHAR(100) NOT NULL,
    privileges SMALLINT NOT NULL,
    kept_by VARCHAR(10) NOT NULL
);

CREATE TABLE tap_schema_digest (
    digest VARCHAR(64) NOT NULL,
    CONSTRAINT pk_tap_schema_digest PRIMARY KEY (digest)
);

CREATE TABLE tap_schema_key_columns (
    key_id TEXT,
    from_column TEXT,
    target_column TEXT,
    creator VARCHAR(100) NOT NULL,
    project VARCHAR(100) NOT NULL,
    privileges SMALLINT NOT NULL,
    kept_by VARCHAR(10) NOT NULL
);

CREATE TABLE tap_schema_keys (
    key_id TEXT,
    from_table TEXT,
    target_table TEXT,
    description TEXT,
    utype TEXT,
    creator VARCHAR(100) NOT NULL,
    project VARCHAR(100) NOT NULL,
    privileges SMALLINT NOT NULL,
    kept_by VARCHAR(10) NOT NULL
);

CREATE TABLE tap_schema_schemas (
    schema_name TEXT,
    utype TEXT,
    description TEXT,
    schema_index INTEGER,
    creator VARCHAR(100) NOT NULL,
    project VARCHAR(100) NOT NULL,
    privileges SMALLINT NOT NULL,
    kept_by VARCHAR(10) NOT NULL
);

CREATE TABLE tap_schema_tables (
    schema_name TEXT,
    table_name TEXT,
    table_type TEXT,
    utype TEXT,
    description TEXT,
    table_index INTEGER,
    creator VARCHAR(100) NOT NULL,
    project VARCHAR(100) NOT NULL,
    privileges SMALLINT NOT NULL,
    kept_by VARCHAR(10) NOT NULL
);

CREATE TABLE tap_schema_written (
    at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
    CONSTRAINT pk_tap_schema_written PRIMARY KEY (at)
);

CREATE TABLE unique_name (
    name VARCHAR(300) NOT NULL,
    object_id VARCHAR(36) NOT NULL,
    CONSTRAINT pk_unique_name PRIMARY KEY (name)
);

CREATE TABLE membership (
    project VARCHAR(100) NOT NULL,
    account VARCHAR(100) NOT NULL,
    CONSTRAINT pk_membership PRIMARY KEY (project, account),
    CONSTRAINT fk_membership_project FOREIGN KEY(project) REFERENCES project (name),
    CONSTRAINT fk_membership_account FOREIGN KEY(account) REFERENCES account (name)
);

CREATE TABLE old_remark (
    object_id VARCHAR(36) NOT NULL,
    words TEXT,
    seen TIMESTAMP WITHOUT TIME ZONE,
    about VARCHAR(36),
    CONSTRAINT pk_old_remark PRIMARY KEY (object_id),
    CONSTRAINT fk_old_remark_object_id FOREIGN KEY(object_id) REFERENCES dbobject (object_id)
);
CREATE INDEX ix_old_remark_about ON old_remark (about);

