CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

CREATE TABLE datasets (
	name VARCHAR(128) NOT NULL, 
	declared BIGINT NOT NULL, 
	dataset TEXT NOT NULL, 
	CONSTRAINT pk_datasets PRIMARY KEY (name)
);

CREATE TABLE deployments (
	name VARCHAR(128) NOT NULL, 
	model VARCHAR(128) NOT NULL, 
	champion INTEGER NOT NULL, 
	generation INTEGER NOT NULL, 
	sticky_key VARCHAR(200) NOT NULL, 
	removed BOOLEAN NOT NULL, 
	created BIGINT NOT NULL, 
	updated BIGINT NOT NULL, logging TEXT, 
	CONSTRAINT pk_deployments PRIMARY KEY (name)
);

CREATE TABLE events (
	id INTEGER NOT NULL, 
	kind VARCHAR(100) NOT NULL, 
	subject VARCHAR(300) NOT NULL, 
	at BIGINT NOT NULL, 
	facts TEXT NOT NULL, 
	CONSTRAINT pk_events PRIMARY KEY (id)
);

CREATE TABLE ground_truth (
	deployment VARCHAR(128) NOT NULL, 
	prediction_id VARCHAR(200) NOT NULL, 
	value TEXT NOT NULL, 
	known_at BIGINT NOT NULL, 
	revised INTEGER NOT NULL, 
	CONSTRAINT pk_ground_truth PRIMARY KEY (deployment, prediction_id)
)
 WITHOUT ROWID

;

CREATE TABLE leases (
	name VARCHAR(200) NOT NULL, 
	holder VARCHAR(200) NOT NULL, 
	token BIGINT NOT NULL, 
	expires FLOAT NOT NULL, 
	CONSTRAINT pk_leases PRIMARY KEY (name)
);

CREATE TABLE lineage_edges (
	source VARCHAR(300) NOT NULL, 
	target VARCHAR(300) NOT NULL, 
	relation VARCHAR(40) NOT NULL, 
	at BIGINT NOT NULL, 
	CONSTRAINT pk_lineage_edges PRIMARY KEY (source, target, relation)
);

CREATE TABLE loops (
	name VARCHAR(128) NOT NULL, 
	spec TEXT NOT NULL, 
	applied BIGINT NOT NULL, 
	updated BIGINT NOT NULL, 
	CONSTRAINT pk_loops PRIMARY KEY (name)
);

CREATE TABLE metric_keys (
	number INTEGER NOT NULL, 
	name VARCHAR(250) NOT NULL, 
	CONSTRAINT pk_metric_keys PRIMARY KEY (number), 
	CONSTRAINT uq_metric_keys_name UNIQUE (name)
);

CREATE TABLE metric_latest (
	run BIGINT NOT NULL, 
	"key" BIGINT NOT NULL, 
	step BIGINT NOT NULL, 
	at BIGINT NOT NULL, 
	value FLOAT, 
	CONSTRAINT pk_metric_latest PRIMARY KEY (run, "key")
)
 WITHOUT ROWID

;

CREATE TABLE metric_points (
	run BIGINT NOT NULL, 
	"key" BIGINT NOT NULL, 
	step BIGINT NOT NULL, 
	at BIGINT NOT NULL, 
	value FLOAT NOT NULL, 
	undefined SMALLINT NOT NULL, 
	CONSTRAINT pk_metric_points PRIMARY KEY (run, "key", step, at, value, undefined)
)
 WITHOUT ROWID

;

CREATE TABLE run_params (
	run BIGINT NOT NULL, 
	"key" VARCHAR(250) NOT NULL, 
	value TEXT, text TEXT, 
	CONSTRAINT pk_run_params PRIMARY KEY (run, "key")
)
 WITHOUT ROWID

;

CREATE TABLE run_tags (
	run BIGINT NOT NULL, 
	"key" VARCHAR(250) NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_run_tags PRIMARY KEY (run, "key")
)
 WITHOUT ROWID

;

CREATE TABLE snapshots (
	place INTEGER NOT NULL, 
	dataset VARCHAR(128) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	snapshot TEXT NOT NULL, 
	CONSTRAINT pk_snapshots PRIMARY KEY (place), 
	CONSTRAINT uq_snapshots_dataset UNIQUE (dataset, id)
);

CREATE TABLE step_results (
	number INTEGER NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	pipeline VARCHAR(128) NOT NULL, 
	step VARCHAR(200) NOT NULL, 
	created BIGINT NOT NULL, 
	facts TEXT NOT NULL, 
	CONSTRAINT pk_step_results PRIMARY KEY (number), 
	CONSTRAINT uq_step_results_key UNIQUE ("key")
);

CREATE TABLE virtual_time (
	id INTEGER NOT NULL, 
	now BIGINT NOT NULL, 
	settled BIGINT, 
	CONSTRAINT pk_virtual_time PRIMARY KEY (id)
);

CREATE TABLE windows (
	deployment VARCHAR(128) NOT NULL, 
	start BIGINT NOT NULL, 
	complete BOOLEAN NOT NULL, 
	document TEXT NOT NULL, 
	profile TEXT, 
	CONSTRAINT pk_windows PRIMARY KEY (deployment, start)
);

CREATE TABLE alert_notices (
	id INTEGER NOT NULL, 
	alert VARCHAR(40) NOT NULL, 
	owner VARCHAR(300) NOT NULL, 
	what VARCHAR(20) NOT NULL, 
	made FLOAT NOT NULL, 
	pending BOOLEAN NOT NULL, 
	CONSTRAINT pk_alert_notices PRIMARY KEY (id), 
	CONSTRAINT fk_alert_notices_alert FOREIGN KEY(alert) REFERENCES alerts (id)
);

CREATE TABLE deployment_revisions (
	deployment VARCHAR(128) NOT NULL, 
	generation INTEGER NOT NULL, 
	champion INTEGER NOT NULL, 
	challenger INTEGER, 
	percent INTEGER NOT NULL, 
	reason TEXT NOT NULL, 
	at BIGINT NOT NULL, 
	CONSTRAINT pk_deployment_revisions PRIMARY KEY (deployment, generation), 
	CONSTRAINT fk_deployment_revisions_deployment FOREIGN KEY(deployment) REFERENCES deployments (name)
);

CREATE TABLE loop_decisions (
	id INTEGER NOT NULL, 
	loop VARCHAR(128) NOT NULL, 
	at BIGINT NOT NULL, 
	decision VARCHAR(40) NOT NULL, 
	cause VARCHAR(300) NOT NULL, 
	reason TEXT NOT NULL, 
	evidence TEXT NOT NULL, 
	CONSTRAINT pk_loop_decisions PRIMARY KEY (id), 
	CONSTRAINT fk_loop_decisions_loop FOREIGN KEY(loop) REFERENCES loops (name), 
	CONSTRAINT uq_loop_decisions_cause UNIQUE (loop, decision, cause)
);

CREATE TABLE loop_trainings (
	id VARCHAR(40) NOT NULL, 
	loop VARCHAR(128) NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	cause VARCHAR(300) NOT NULL, 
	"trigger" VARCHAR(60) NOT NULL, 
	reason TEXT NOT NULL, 
	evidence TEXT NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	attempt INTEGER NOT NULL, 
	job VARCHAR(80) NOT NULL, 
	version INTEGER, 
	error TEXT NOT NULL, 
	created BIGINT NOT NULL, 
	ended BIGINT, "plan" TEXT, core_seconds FLOAT, 
	CONSTRAINT pk_loop_trainings PRIMARY KEY (id), 
	CONSTRAINT fk_loop_trainings_loop FOREIGN KEY(loop) REFERENCES loops (name), 
	CONSTRAINT uq_loop_trainings_cause UNIQUE (loop, cause)
);

CREATE TABLE rollouts (
	id VARCHAR(40) NOT NULL, 
	deployment VARCHAR(128) NOT NULL, 
	model VARCHAR(128) NOT NULL, 
	from_version INTEGER NOT NULL, 
	to_version INTEGER NOT NULL, 
	spec TEXT NOT NULL, 
	step INTEGER NOT NULL, 
	percent INTEGER NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	started BIGINT NOT NULL, 
	step_started BIGINT NOT NULL, 
	ended BIGINT, 
	reason TEXT NOT NULL, 
	evidence TEXT NOT NULL, 
	CONSTRAINT pk_rollouts PRIMARY KEY (id), 
	CONSTRAINT fk_rollouts_deployment FOREIGN KEY(deployment) REFERENCES deployments (name)
);

CREATE TABLE alert_deliveries (
	notice BIGINT NOT NULL, 
	channel VARCHAR(200) NOT NULL, 
	attempt INTEGER NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	next_try FLOAT NOT NULL, 
	error TEXT NOT NULL, 
	at BIGINT NOT NULL, 
	CONSTRAINT pk_alert_deliveries PRIMARY KEY (notice, channel), 
	CONSTRAINT fk_alert_deliveries_notice FOREIGN KEY(notice) REFERENCES alert_notices (id)
);

CREATE TABLE alert_silences (
	id VARCHAR(40) NOT NULL, 
	subject VARCHAR(300) NOT NULL, 
	cause VARCHAR(300) NOT NULL, 
	until BIGINT NOT NULL, 
	reason TEXT NOT NULL, 
	"by" VARCHAR(250) NOT NULL, 
	created BIGINT NOT NULL, 
	CONSTRAINT pk_alert_silences PRIMARY KEY (id)
);

CREATE TABLE assessments (
	id VARCHAR(128) NOT NULL, 
	trace BIGINT NOT NULL, 
	experiment BIGINT NOT NULL, 
	name VARCHAR(250) NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	value TEXT, 
	number FLOAT, 
	error TEXT, 
	source_type VARCHAR(50) NOT NULL, 
	source VARCHAR(250) NOT NULL, 
	created BIGINT NOT NULL, 
	updated BIGINT NOT NULL, 
	rationale TEXT, 
	metadata TEXT NOT NULL, 
	session VARCHAR(250), 
	span VARCHAR(128) NOT NULL, 
	run VARCHAR(128) NOT NULL, 
	overrides VARCHAR(128) NOT NULL, 
	valid BOOLEAN NOT NULL, 
	CONSTRAINT pk_assessments PRIMARY KEY (id)
);

CREATE TABLE comments (
	id VARCHAR(40) NOT NULL, 
	ref VARCHAR(600) NOT NULL, 
	reply_to VARCHAR(40) NOT NULL, 
	"by" VARCHAR(200) NOT NULL, 
	text TEXT NOT NULL, 
	at BIGINT NOT NULL, 
	edited BIGINT, 
	deleted BIGINT, 
	CONSTRAINT pk_comments PRIMARY KEY (id)
);

CREATE TABLE evaluation_records (
	"set" BIGINT NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	id VARCHAR(128) NOT NULL, 
	inputs TEXT NOT NULL, 
	outputs TEXT, 
	expectations TEXT, 
	tags TEXT, 
	source TEXT, 
	created BIGINT NOT NULL, 
	updated BIGINT NOT NULL, 
	created_by VARCHAR(250) NOT NULL, 
	updated_by VARCHAR(250) NOT NULL, 
	CONSTRAINT pk_evaluation_records PRIMARY KEY ("set", "key"), 
	CONSTRAINT uq_evaluation_records_id UNIQUE (id)
);

CREATE TABLE evaluation_set_experiments (
	"set" BIGINT NOT NULL, 
	experiment BIGINT NOT NULL, 
	CONSTRAINT pk_evaluation_set_experiments PRIMARY KEY ("set", experiment)
)
 WITHOUT ROWID

;

CREATE TABLE evaluation_set_tags (
	"set" BIGINT NOT NULL, 
	"key" VARCHAR(250) NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_evaluation_set_tags PRIMARY KEY ("set", "key")
)
 WITHOUT ROWID

;

CREATE TABLE evaluation_sets (
	number INTEGER NOT NULL, 
	id VARCHAR(128) NOT NULL, 
	name VARCHAR(250) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	created BIGINT NOT NULL, 
	updated BIGINT NOT NULL, 
	created_by VARCHAR(250) NOT NULL, 
	updated_by VARCHAR(250) NOT NULL, 
	schema TEXT, 
	CONSTRAINT pk_evaluation_sets PRIMARY KEY (number), 
	CONSTRAINT uq_evaluation_sets_id UNIQUE (id)
);

CREATE TABLE experiment_tags (
	experiment BIGINT NOT NULL, 
	"key" VARCHAR(250) NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_experiment_tags PRIMARY KEY (experiment, "key")
)
 WITHOUT ROWID

;

CREATE TABLE logged_datasets (
	number INTEGER NOT NULL, 
	experiment BIGINT NOT NULL, 
	name VARCHAR(500) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	source_type TEXT NOT NULL, 
	source TEXT NOT NULL, 
	schema TEXT NOT NULL, 
	profile TEXT NOT NULL, 
	created BIGINT NOT NULL, 
	CONSTRAINT pk_logged_datasets PRIMARY KEY (number), 
	CONSTRAINT uq_logged_datasets_experiment UNIQUE (experiment, name, digest)
);

CREATE TABLE logged_model_metrics (
	model BIGINT NOT NULL, 
	"key" VARCHAR(250) NOT NULL, 
	step BIGINT NOT NULL, 
	at BIGINT NOT NULL, 
	run VARCHAR(128) NOT NULL, 
	dataset VARCHAR(500) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	value FLOAT, 
	CONSTRAINT pk_logged_model_metrics PRIMARY KEY (model, "key", step, at, run, dataset, digest)
);

CREATE TABLE logged_model_params (
	model BIGINT NOT NULL, 
	"key" VARCHAR(250) NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_logged_model_params PRIMARY KEY (model, "key")
);

CREATE TABLE logged_model_tags (
	model BIGINT NOT NULL, 
	"key" VARCHAR(250) NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_logged_model_tags PRIMARY KEY (model, "key")
);

CREATE TABLE metric_chunks (
	run BIGINT NOT NULL, 
	"key" BIGINT NOT NULL, 
	first_step BIGINT NOT NULL, 
	digest BLOB NOT NULL, 
	last_step BIGINT NOT NULL, 
	first_at BIGINT NOT NULL, 
	last_at BIGINT NOT NULL, 
	count INTEGER NOT NULL, 
	undefined INTEGER NOT NULL, 
	low FLOAT, 
	high FLOAT, 
	ends BLOB NOT NULL, 
	data BLOB NOT NULL, 
	CONSTRAINT pk_metric_chunks PRIMARY KEY (run, "key", first_step, digest)
);

CREATE TABLE model_approvals (
	id VARCHAR(40) NOT NULL, 
	model VARCHAR(256) NOT NULL, 
	version INTEGER NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	requested_by VARCHAR(200) NOT NULL, 
	approvers TEXT NOT NULL, 
	needed INTEGER NOT NULL, 
	four_eyes BOOLEAN NOT NULL, 
	note TEXT NOT NULL, 
	requested BIGINT NOT NULL, 
	decided BIGINT, 
	CONSTRAINT pk_model_approvals PRIMARY KEY (id)
);

CREATE TABLE model_card_sections (
	model VARCHAR(256) NOT NULL, 
	version INTEGER NOT NULL, 
	heading VARCHAR(200) NOT NULL, 
	text TEXT NOT NULL, 
	"by" VARCHAR(200) NOT NULL, 
	created BIGINT NOT NULL, 
	updated BIGINT NOT NULL, 
	CONSTRAINT pk_model_card_sections PRIMARY KEY (model, version, heading)
);

CREATE TABLE model_deprecations (
	model VARCHAR(256) NOT NULL, 
	version INTEGER NOT NULL, 
	reason TEXT NOT NULL, 
	"by" VARCHAR(200) NOT NULL, 
	at BIGINT NOT NULL, 
	until BIGINT, 
	"instead" VARCHAR(600) NOT NULL, 
	CONSTRAINT pk_model_deprecations PRIMARY KEY (model, version)
);

CREATE TABLE model_holds (
	holder VARCHAR(300) NOT NULL, 
	model VARCHAR(256) NOT NULL, 
	version INTEGER NOT NULL, 
	since BIGINT NOT NULL, 
	CONSTRAINT pk_model_holds PRIMARY KEY (holder, model, version)
);

CREATE TABLE model_retirements (
	model VARCHAR(256) NOT NULL, 
	version INTEGER NOT NULL, 
	reason TEXT NOT NULL, 
	"by" VARCHAR(200) NOT NULL, 
	at BIGINT NOT NULL, 
	former_stage VARCHAR(20) NOT NULL, 
	keeps_files BOOLEAN NOT NULL, 
	freed_files INTEGER NOT NULL, 
	freed_bytes BIGINT NOT NULL, 
	CONSTRAINT pk_model_retirements PRIMARY KEY (model, version)
);

CREATE TABLE model_signatures (
	model VARCHAR(256) NOT NULL, 
	version INTEGER NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	signature VARCHAR(64) NOT NULL, 
	described TEXT NOT NULL, 
	public_key TEXT NOT NULL, 
	"by" VARCHAR(200) NOT NULL, 
	at BIGINT NOT NULL, 
	CONSTRAINT pk_model_signatures PRIMARY KEY (model, version, "key")
);

CREATE TABLE run_datasets (
	run BIGINT NOT NULL, 
	dataset BIGINT NOT NULL, 
	context VARCHAR(500), 
	tags TEXT NOT NULL, 
	CONSTRAINT pk_run_datasets PRIMARY KEY (run, dataset)
);

CREATE TABLE run_models (
	run BIGINT NOT NULL, 
	role VARCHAR(6) NOT NULL, 
	model VARCHAR(64) NOT NULL, 
	step BIGINT NOT NULL, 
	CONSTRAINT pk_run_models PRIMARY KEY (run, role, model)
);

CREATE TABLE saved_views (
	kind VARCHAR(40) NOT NULL, 
	name VARCHAR(250) NOT NULL, 
	filter TEXT NOT NULL, 
	order_by TEXT NOT NULL, 
	columns TEXT NOT NULL, 
	experiments TEXT NOT NULL, 
	created BIGINT NOT NULL, 
	updated BIGINT NOT NULL, 
	CONSTRAINT pk_saved_views PRIMARY KEY (kind, name)
);

CREATE TABLE scorers (
	number INTEGER NOT NULL, 
	id VARCHAR(128) NOT NULL, 
	experiment BIGINT NOT NULL, 
	name VARCHAR(250) NOT NULL, 
	version INTEGER NOT NULL, 
	definition TEXT NOT NULL, 
	created BIGINT NOT NULL, 
	CONSTRAINT pk_scorers PRIMARY KEY (number), 
	CONSTRAINT uq_scorers_version UNIQUE (experiment, name, version)
);

CREATE TABLE stored_files (
	folder VARCHAR(300) NOT NULL, 
	name VARCHAR(1000) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	size BIGINT NOT NULL, 
	created BIGINT NOT NULL, 
	CONSTRAINT pk_stored_files PRIMARY KEY (folder, name)
);

CREATE TABLE trace_links (
	kind VARCHAR(10) NOT NULL, 
	target VARCHAR(300) NOT NULL, 
	trace VARCHAR(128) NOT NULL, 
	CONSTRAINT pk_trace_links PRIMARY KEY (kind, target, trace)
)
 WITHOUT ROWID

;

CREATE TABLE trace_metadata (
	trace BIGINT NOT NULL, 
	"key" VARCHAR(250) NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_trace_metadata PRIMARY KEY (trace, "key")
)
 WITHOUT ROWID

;

CREATE TABLE trace_spans (
	trace BIGINT NOT NULL, 
	id VARCHAR(16) NOT NULL, 
	parent VARCHAR(16) NOT NULL, 
	name TEXT NOT NULL, 
	type VARCHAR(200) NOT NULL, 
	status VARCHAR(20) NOT NULL, 
	started_ns BIGINT NOT NULL, 
	ended_ns BIGINT, 
	model VARCHAR(500) NOT NULL, 
	tokens TEXT, 
	cost TEXT, 
	content TEXT NOT NULL, 
	CONSTRAINT pk_trace_spans PRIMARY KEY (trace, id)
);

CREATE TABLE trace_tags (
	trace BIGINT NOT NULL, 
	"key" VARCHAR(250) NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_trace_tags PRIMARY KEY (trace, "key")
)
 WITHOUT ROWID

;

CREATE TABLE traces (
	number INTEGER NOT NULL, 
	id VARCHAR(128) NOT NULL, 
	experiment BIGINT NOT NULL, 
	name TEXT, 
	state VARCHAR(20) NOT NULL, 
	started BIGINT NOT NULL, 
	milliseconds BIGINT, 
	client_request_id TEXT, 
	request_preview TEXT, 
	response_preview TEXT, 
	session VARCHAR(250), 
	tokens TEXT, 
	cost TEXT, 
	total_tokens BIGINT, 
	total_cost FLOAT, 
	told SMALLINT NOT NULL, 
	expected_spans BIGINT, 
	CONSTRAINT pk_traces PRIMARY KEY (number), 
	CONSTRAINT uq_traces_id UNIQUE (id)
);

CREATE TABLE webhooks (
	id VARCHAR(40) NOT NULL, 
	name VARCHAR(63) NOT NULL, 
	description TEXT NOT NULL, 
	url TEXT NOT NULL, 
	events TEXT NOT NULL, 
	secret TEXT NOT NULL, 
	active BOOLEAN NOT NULL, 
	created BIGINT NOT NULL, 
	updated BIGINT NOT NULL, 
	deleted BIGINT, 
	CONSTRAINT pk_webhooks PRIMARY KEY (id)
);

CREATE TABLE logged_models (
	number INTEGER NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	experiment BIGINT NOT NULL, 
	name VARCHAR(500) NOT NULL, 
	kind VARCHAR(500) NOT NULL, 
	run VARCHAR(128) NOT NULL, 
	status VARCHAR(20) NOT NULL, 
	created BIGINT NOT NULL, 
	updated BIGINT NOT NULL, 
	deleted BIGINT, 
	CONSTRAINT pk_logged_models PRIMARY KEY (number), 
	CONSTRAINT fk_logged_models_experiment FOREIGN KEY(experiment) REFERENCES experiments (number), 
	CONSTRAINT uq_logged_models_id UNIQUE (id)
);

CREATE TABLE model_approval_words (
	number INTEGER NOT NULL, 
	approval VARCHAR(40) NOT NULL, 
	"by" VARCHAR(200) NOT NULL, 
	word VARCHAR(20) NOT NULL, 
	reason TEXT NOT NULL, 
	at BIGINT NOT NULL, 
	CONSTRAINT pk_model_approval_words PRIMARY KEY (number), 
	CONSTRAINT fk_model_approval_words_approval FOREIGN KEY(approval) REFERENCES model_approvals (id), 
	CONSTRAINT uq_model_approval_words_approval UNIQUE (approval, "by")
);

CREATE TABLE webhook_deliveries (
	number INTEGER NOT NULL, 
	id VARCHAR(40) NOT NULL, 
	webhook VARCHAR(40) NOT NULL, 
	event VARCHAR(60) NOT NULL, 
	body TEXT NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	attempt INTEGER NOT NULL, 
	next_try FLOAT NOT NULL, 
	error TEXT NOT NULL, 
	at BIGINT NOT NULL, 
	CONSTRAINT pk_webhook_deliveries PRIMARY KEY (number), 
	CONSTRAINT fk_webhook_deliveries_webhook FOREIGN KEY(webhook) REFERENCES webhooks (id)
);

CREATE TABLE "alerts" (
	id VARCHAR(40) NOT NULL, 
	severity VARCHAR(20) NOT NULL, 
	kind VARCHAR(128) NOT NULL, 
	subject VARCHAR(300) NOT NULL, 
	owner VARCHAR(300) NOT NULL, 
	cause VARCHAR(300) NOT NULL, 
	title TEXT NOT NULL, 
	detail TEXT NOT NULL, 
	facts TEXT NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	opened BIGINT NOT NULL, 
	last_seen BIGINT NOT NULL, 
	count INTEGER NOT NULL, 
	resolved BIGINT, 
	acknowledged_by VARCHAR(250) NOT NULL, 
	resolution TEXT NOT NULL, 
	assigned_to VARCHAR(250) DEFAULT ('') NOT NULL, 
	CONSTRAINT pk_alerts PRIMARY KEY (id)
);

CREATE TABLE "experiments" (
	number INTEGER NOT NULL, 
	name VARCHAR(500) NOT NULL, 
	created BIGINT NOT NULL, 
	updated BIGINT, 
	deleted BIGINT, 
	location TEXT DEFAULT ('') NOT NULL, 
	CONSTRAINT pk_experiments PRIMARY KEY (number), 
	CONSTRAINT uq_experiments_name UNIQUE (name)
);

CREATE TABLE "model_alias_changes" (
	id INTEGER NOT NULL, 
	model VARCHAR(256) NOT NULL, 
	alias VARCHAR(255) NOT NULL, 
	version INTEGER, 
	previous INTEGER, 
	reason TEXT NOT NULL, 
	at BIGINT NOT NULL, 
	CONSTRAINT pk_model_alias_changes PRIMARY KEY (id), 
	CONSTRAINT fk_model_alias_changes_model FOREIGN KEY(model) REFERENCES models (name)
);

CREATE TABLE "model_aliases" (
	model VARCHAR(256) NOT NULL, 
	alias VARCHAR(255) NOT NULL, 
	version INTEGER NOT NULL, 
	CONSTRAINT pk_model_aliases PRIMARY KEY (model, alias), 
	CONSTRAINT fk_model_aliases_model FOREIGN KEY(model) REFERENCES models (name)
);

CREATE TABLE "model_versions" (
	model VARCHAR(256) NOT NULL, 
	version INTEGER NOT NULL, 
	stage VARCHAR(20) NOT NULL, 
	package TEXT NOT NULL, 
	package_id VARCHAR(64) NOT NULL, 
	run VARCHAR(128) NOT NULL, 
	snapshots TEXT NOT NULL, 
	evaluation TEXT, 
	holdout VARCHAR(64) NOT NULL, 
	label VARCHAR(250) NOT NULL, 
	slices TEXT NOT NULL, 
	reference VARCHAR(64) NOT NULL, 
	code VARCHAR(250) NOT NULL, 
	params TEXT NOT NULL, 
	created BIGINT NOT NULL, 
	description TEXT NOT NULL, 
	tags TEXT NOT NULL, 
	verdict TEXT, 
	deleted BIGINT, 
	source TEXT DEFAULT ('') NOT NULL, 
	status VARCHAR(20) DEFAULT 'ready' NOT NULL, 
	user VARCHAR(250) DEFAULT ('') NOT NULL, 
	mlflow_stage VARCHAR(20) DEFAULT 'None' NOT NULL, 
	logged_model VARCHAR(128) DEFAULT ('') NOT NULL, 
	run_link TEXT DEFAULT ('') NOT NULL, 
	updated BIGINT, 
	CONSTRAINT pk_model_versions PRIMARY KEY (model, version), 
	CONSTRAINT fk_model_versions_model FOREIGN KEY(model) REFERENCES models (name)
);

CREATE TABLE "models" (
	name VARCHAR(256) NOT NULL, 
	latest INTEGER NOT NULL, 
	description TEXT NOT NULL, 
	created BIGINT NOT NULL, 
	updated BIGINT NOT NULL, 
	tags TEXT, 
	deleted BIGINT, 
	CONSTRAINT pk_models PRIMARY KEY (name)
);

CREATE TABLE "run_artifacts" (
	run BIGINT NOT NULL, 
	name VARCHAR(1000) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	size BIGINT NOT NULL, 
	kind VARCHAR(40) NOT NULL, 
	created BIGINT NOT NULL, 
	CONSTRAINT pk_run_artifacts PRIMARY KEY (run, name)
);

CREATE TABLE "runs" (
	number INTEGER NOT NULL, 
	id VARCHAR(128) NOT NULL, 
	experiment BIGINT NOT NULL, 
	name VARCHAR(250) NOT NULL, 
	kind VARCHAR(40) NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	parent VARCHAR(128) NOT NULL, 
	attempt INTEGER NOT NULL, 
	code VARCHAR(250) NOT NULL, 
	environment TEXT NOT NULL, 
	error TEXT NOT NULL, 
	notes TEXT NOT NULL, 
	started BIGINT NOT NULL, 
	ended BIGINT, 
	deleted BIGINT, 
	heartbeat FLOAT NOT NULL, 
	heartbeats SMALLINT DEFAULT '1' NOT NULL, 
	user VARCHAR(250) DEFAULT ('') NOT NULL, 
	CONSTRAINT pk_runs PRIMARY KEY (number), 
	CONSTRAINT uq_runs_id UNIQUE (id), 
	CONSTRAINT fk_runs_experiment FOREIGN KEY(experiment) REFERENCES experiments (number)
);

CREATE TABLE catalog_accesses (
	id VARCHAR(22) NOT NULL, 
	ref VARCHAR(300) NOT NULL, 
	who VARCHAR(200) NOT NULL, 
	role VARCHAR(40) NOT NULL, 
	reason TEXT NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	asked BIGINT NOT NULL, 
	answered BIGINT, 
	"by" VARCHAR(200) NOT NULL, 
	note TEXT NOT NULL, 
	until BIGINT, 
	CONSTRAINT pk_catalog_accesses PRIMARY KEY (id)
);

CREATE TABLE catalog_entries (
	number INTEGER NOT NULL, 
	ref VARCHAR(300) NOT NULL, 
	kind VARCHAR(40) NOT NULL, 
	owner VARCHAR(200) NOT NULL, 
	entry TEXT NOT NULL, 
	title_words TEXT NOT NULL, 
	tag_words TEXT NOT NULL, 
	column_words TEXT NOT NULL, 
	text_words TEXT NOT NULL, 
	CONSTRAINT pk_catalog_entries PRIMARY KEY (number), 
	CONSTRAINT uq_catalog_entries_ref UNIQUE (ref)
);

CREATE TABLE catalog_notes (
	ref VARCHAR(300) NOT NULL, 
	notes TEXT NOT NULL, 
	CONSTRAINT pk_catalog_notes PRIMARY KEY (ref)
);

CREATE TABLE data_forgettings (
	dataset VARCHAR(128) NOT NULL, 
	snapshot VARCHAR(64) NOT NULL, 
	forgetting TEXT NOT NULL, 
	CONSTRAINT pk_data_forgettings PRIMARY KEY (dataset, snapshot)
);

CREATE TABLE data_moves (
	number INTEGER NOT NULL, 
	dataset VARCHAR(128) NOT NULL, 
	ref VARCHAR(128) NOT NULL, 
	snapshot VARCHAR(64) NOT NULL, 
	previous VARCHAR(64) NOT NULL, 
	at BIGINT NOT NULL, 
	cause VARCHAR(32) NOT NULL, 
	summary TEXT NOT NULL, 
	CONSTRAINT pk_data_moves PRIMARY KEY (number)
);

CREATE TABLE data_pii_classes (
	dataset VARCHAR(128) NOT NULL, 
	classes TEXT NOT NULL, 
	CONSTRAINT pk_data_pii_classes PRIMARY KEY (dataset)
);

CREATE TABLE data_profiles (
	number INTEGER NOT NULL, 
	dataset VARCHAR(128) NOT NULL, 
	snapshot VARCHAR(64) NOT NULL, 
	at BIGINT NOT NULL, 
	profile VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_data_profiles PRIMARY KEY (number), 
	CONSTRAINT uq_data_profiles_dataset UNIQUE (dataset, snapshot)
);

CREATE TABLE data_refs (
	dataset VARCHAR(128) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	snapshot VARCHAR(64) NOT NULL, 
	moved BIGINT NOT NULL, 
	CONSTRAINT pk_data_refs PRIMARY KEY (dataset, name)
);

CREATE TABLE data_reports (
	number INTEGER NOT NULL, 
	dataset VARCHAR(128) NOT NULL, 
	snapshot VARCHAR(64) NOT NULL, 
	at BIGINT NOT NULL, 
	report TEXT NOT NULL, 
	CONSTRAINT pk_data_reports PRIMARY KEY (number)
);

CREATE TABLE event_followers (
	name VARCHAR(100) NOT NULL, 
	position BIGINT NOT NULL, 
	CONSTRAINT pk_event_followers PRIMARY KEY (name)
);

CREATE TABLE external_runs (
	job VARCHAR(300) NOT NULL, 
	id VARCHAR(100) NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	started BIGINT NOT NULL, 
	ended BIGINT, 
	error TEXT NOT NULL, 
	producer VARCHAR(500) NOT NULL, 
	CONSTRAINT pk_external_runs PRIMARY KEY (job, id)
);

CREATE TABLE external_things (
	ref VARCHAR(300) NOT NULL, 
	at BIGINT NOT NULL, 
	entry TEXT NOT NULL, 
	CONSTRAINT pk_external_things PRIMARY KEY (ref)
);

CREATE TABLE feature_materializations (
	"view" VARCHAR(128) NOT NULL, 
	version INTEGER NOT NULL, 
	at BIGINT NOT NULL, 
	source VARCHAR(250) NOT NULL, 
	rows BIGINT NOT NULL, 
	keys BIGINT NOT NULL, 
	newest BIGINT, 
	known BIGINT, 
	CONSTRAINT pk_feature_materializations PRIMARY KEY ("view", version)
);

CREATE TABLE feature_pushes (
	id INTEGER NOT NULL, 
	"view" VARCHAR(128) NOT NULL, 
	at BIGINT NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	rows BIGINT NOT NULL, 
	CONSTRAINT pk_feature_pushes PRIMARY KEY (id)
);

CREATE TABLE feature_sets (
	name VARCHAR(128) NOT NULL, 
	version INTEGER NOT NULL, 
	declared BIGINT NOT NULL, 
	"plan" TEXT NOT NULL, 
	CONSTRAINT pk_feature_sets PRIMARY KEY (name, version)
);

CREATE TABLE feature_uses (
	run VARCHAR(128) NOT NULL, 
	at BIGINT NOT NULL, 
	"plan" TEXT NOT NULL, 
	CONSTRAINT pk_feature_uses PRIMARY KEY (run)
);

CREATE TABLE feature_view_versions (
	name VARCHAR(128) NOT NULL, 
	version INTEGER NOT NULL, 
	declared BIGINT NOT NULL, 
	"view" TEXT NOT NULL, 
	schema TEXT, 
	CONSTRAINT pk_feature_view_versions PRIMARY KEY (name, version)
);

CREATE TABLE label_items (
	number INTEGER NOT NULL, 
	label_set VARCHAR(128) NOT NULL, 
	"key" VARCHAR(500) NOT NULL, 
	data TEXT NOT NULL, 
	ref VARCHAR(300) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	prediction TEXT NOT NULL, 
	priority FLOAT NOT NULL, 
	source VARCHAR(300) NOT NULL, 
	labels INTEGER NOT NULL, 
	needed INTEGER NOT NULL, 
	is_open BOOLEAN NOT NULL, 
	CONSTRAINT pk_label_items PRIMARY KEY (number), 
	CONSTRAINT uq_label_items_label_set UNIQUE (label_set, "key")
);

CREATE TABLE label_sets (
	name VARCHAR(128) NOT NULL, 
	made BIGINT NOT NULL, 
	label_set TEXT NOT NULL, 
	secret VARCHAR(70) NOT NULL, 
	CONSTRAINT pk_label_sets PRIMARY KEY (name)
);

CREATE TABLE label_turns (
	item BIGINT NOT NULL, 
	annotator VARCHAR(200) NOT NULL, 
	label_set VARCHAR(128) NOT NULL, 
	state VARCHAR(10) NOT NULL, 
	until FLOAT NOT NULL, 
	CONSTRAINT pk_label_turns PRIMARY KEY (item, annotator)
);

CREATE TABLE labels (
	number INTEGER NOT NULL, 
	label_set VARCHAR(128) NOT NULL, 
	item BIGINT NOT NULL, 
	annotator VARCHAR(200) NOT NULL, 
	value TEXT, 
	at BIGINT NOT NULL, 
	source VARCHAR(100) NOT NULL, 
	confidence FLOAT, 
	origin VARCHAR(200) NOT NULL, 
	is_last BOOLEAN NOT NULL, 
	CONSTRAINT pk_labels PRIMARY KEY (number)
);

CREATE TABLE lineage_columns (
	target VARCHAR(300) NOT NULL, 
	target_column VARCHAR(300) NOT NULL, 
	source VARCHAR(300) NOT NULL, 
	source_column VARCHAR(300) NOT NULL, 
	direct BOOLEAN NOT NULL, 
	how VARCHAR(40) NOT NULL, 
	CONSTRAINT pk_lineage_columns PRIMARY KEY (target, target_column, source, source_column, direct)
);

CREATE TABLE metric_sheets (
	run BIGINT NOT NULL, 
	first_at BIGINT NOT NULL, 
	digest BLOB NOT NULL, 
	count INTEGER NOT NULL, 
	data BLOB NOT NULL, 
	CONSTRAINT pk_metric_sheets PRIMARY KEY (run, first_at, digest)
);

CREATE TABLE studies (
	name VARCHAR(128) NOT NULL, 
	created BIGINT NOT NULL, 
	study TEXT NOT NULL, 
	CONSTRAINT pk_studies PRIMARY KEY (name)
);

CREATE TABLE trials (
	study VARCHAR(128) NOT NULL, 
	number INTEGER NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	run VARCHAR(64) NOT NULL, 
	started BIGINT NOT NULL, 
	ended BIGINT, 
	params TEXT NOT NULL, 
	"values" TEXT NOT NULL, 
	reports TEXT NOT NULL, 
	error TEXT NOT NULL, 
	CONSTRAINT pk_trials PRIMARY KEY (study, number), 
	CONSTRAINT fk_trials_study FOREIGN KEY(study) REFERENCES studies (name)
);

CREATE TABLE "feature_views" (
	name VARCHAR(128) NOT NULL, 
	declared BIGINT NOT NULL, 
	"view" TEXT NOT NULL, 
	version INTEGER DEFAULT 1 NOT NULL, 
	deleted BIGINT, 
	CONSTRAINT pk_feature_views PRIMARY KEY (name)
);

CREATE TABLE access_accounts (
	name VARCHAR(128) NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	full_name VARCHAR(250) DEFAULT ('') NOT NULL, 
	email VARCHAR(250) DEFAULT ('') NOT NULL, 
	password VARCHAR(300) DEFAULT ('') NOT NULL, 
	admin BOOLEAN NOT NULL, 
	auditor BOOLEAN NOT NULL, 
	disabled BOOLEAN NOT NULL, 
	subject VARCHAR(500), 
	created BIGINT NOT NULL, 
	created_by VARCHAR(128) NOT NULL, 
	seen BIGINT, 
	CONSTRAINT pk_access_accounts PRIMARY KEY (name), 
	CONSTRAINT uq_access_accounts_subject UNIQUE (subject)
);

CREATE TABLE access_attempts (
	"key" VARCHAR(300) NOT NULL, 
	failures INTEGER NOT NULL, 
	last BIGINT NOT NULL, 
	wait_until BIGINT NOT NULL, 
	CONSTRAINT pk_access_attempts PRIMARY KEY ("key")
);

CREATE TABLE access_changes (
	name VARCHAR(20) NOT NULL, 
	number BIGINT NOT NULL, 
	CONSTRAINT pk_access_changes PRIMARY KEY (name)
);

CREATE TABLE access_groups (
	name VARCHAR(128) NOT NULL, 
	description TEXT NOT NULL, 
	created BIGINT NOT NULL, 
	CONSTRAINT pk_access_groups PRIMARY KEY (name)
);

CREATE TABLE access_members (
	project VARCHAR(128) NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	role VARCHAR(20) NOT NULL, 
	since BIGINT NOT NULL, 
	"by" VARCHAR(128) NOT NULL, 
	CONSTRAINT pk_access_members PRIMARY KEY (project, kind, name)
);

CREATE TABLE access_pending (
	digest VARCHAR(64) NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	code VARCHAR(40), 
	facts TEXT NOT NULL, 
	expires BIGINT NOT NULL, 
	CONSTRAINT pk_access_pending PRIMARY KEY (digest), 
	CONSTRAINT uq_access_pending_code UNIQUE (code)
);

CREATE TABLE access_tokens (
	id VARCHAR(40) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	account VARCHAR(128) NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	name VARCHAR(250) NOT NULL, 
	scope VARCHAR(20) NOT NULL, 
	role VARCHAR(20) NOT NULL, 
	project VARCHAR(128) DEFAULT ('') NOT NULL, 
	run VARCHAR(40) DEFAULT ('') NOT NULL, 
	session VARCHAR(250) DEFAULT ('') NOT NULL, 
	created BIGINT NOT NULL, 
	created_by VARCHAR(128) NOT NULL, 
	expires BIGINT, 
	revoked BIGINT, 
	used BIGINT, 
	CONSTRAINT pk_access_tokens PRIMARY KEY (id)
);

CREATE TABLE audit (
	id BIGINT NOT NULL, 
	at BIGINT NOT NULL, 
	who VARCHAR(200) NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	token VARCHAR(64) NOT NULL, 
	project VARCHAR(200) NOT NULL, 
	verb VARCHAR(100) NOT NULL, 
	action VARCHAR(100) NOT NULL, 
	subject VARCHAR(300) NOT NULL, 
	event INTEGER, 
	facts TEXT NOT NULL, 
	previous VARCHAR(64) NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_audit PRIMARY KEY (id)
);

CREATE TABLE audit_head (
	name VARCHAR(20) NOT NULL, 
	id BIGINT NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	event BIGINT NOT NULL, 
	signed_id BIGINT NOT NULL, 
	signed_at BIGINT NOT NULL, 
	CONSTRAINT pk_audit_head PRIMARY KEY (name)
);

CREATE TABLE audit_seals (
	id BIGINT NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	at BIGINT NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	signature VARCHAR(128) NOT NULL, 
	CONSTRAINT pk_audit_seals PRIMARY KEY (id)
);

CREATE TABLE automl_searches (
	name VARCHAR(128) NOT NULL, 
	created BIGINT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	is_cancelled BOOLEAN NOT NULL, 
	holder VARCHAR(64) NOT NULL, 
	search TEXT NOT NULL, 
	CONSTRAINT pk_automl_searches PRIMARY KEY (name)
);

CREATE TABLE budgets (
	name VARCHAR(128) NOT NULL, 
	budget TEXT NOT NULL, 
	"by" VARCHAR(250) NOT NULL, 
	at BIGINT NOT NULL, 
	CONSTRAINT pk_budgets PRIMARY KEY (name)
);

CREATE TABLE errands (
	id VARCHAR(40) NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	about VARCHAR(200) NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	created BIGINT NOT NULL, 
	errand TEXT NOT NULL, 
	CONSTRAINT pk_errands PRIMARY KEY (id)
);

CREATE TABLE idempotency_keys (
	who VARCHAR(200) NOT NULL, 
	"key" VARCHAR(255) NOT NULL, 
	verb VARCHAR(200) NOT NULL, 
	asked VARCHAR(64) NOT NULL, 
	at FLOAT NOT NULL, 
	answer TEXT NOT NULL, 
	error TEXT NOT NULL, 
	CONSTRAINT pk_idempotency_keys PRIMARY KEY (who, "key")
);

CREATE TABLE images (
	digest VARCHAR(80) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	tag VARCHAR(128) NOT NULL, 
	platform VARCHAR(40) NOT NULL, 
	models TEXT NOT NULL, 
	size BIGINT NOT NULL, 
	pushed TEXT NOT NULL, 
	built BIGINT NOT NULL, 
	CONSTRAINT pk_images PRIMARY KEY (digest)
);

CREATE TABLE maturity_checks (
	id INTEGER NOT NULL, 
	loop VARCHAR(128) NOT NULL, 
	test VARCHAR(40) NOT NULL, 
	at BIGINT NOT NULL, 
	"by" VARCHAR(250) NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	evidence TEXT NOT NULL, 
	CONSTRAINT pk_maturity_checks PRIMARY KEY (id)
);

CREATE TABLE policies (
	name VARCHAR(128) NOT NULL, 
	policy TEXT NOT NULL, 
	"by" VARCHAR(250) NOT NULL, 
	at BIGINT NOT NULL, 
	CONSTRAINT pk_policies PRIMARY KEY (name)
);

CREATE TABLE prices (
	id INTEGER NOT NULL, 
	at BIGINT NOT NULL, 
	"by" VARCHAR(250) NOT NULL, 
	prices TEXT NOT NULL, 
	CONSTRAINT pk_prices PRIMARY KEY (id)
);

CREATE TABLE project_stores (
	name VARCHAR(128) NOT NULL, 
	"database" TEXT NOT NULL, 
	objects TEXT NOT NULL, 
	s3_endpoint VARCHAR(500) NOT NULL, 
	s3_region VARCHAR(100) NOT NULL, 
	residency VARCHAR(100) NOT NULL, 
	created BIGINT NOT NULL, 
	created_by VARCHAR(128) NOT NULL, 
	CONSTRAINT pk_project_stores PRIMARY KEY (name)
);

CREATE TABLE registry_trusted_keys (
	"key" VARCHAR(64) NOT NULL, 
	public_key TEXT NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	at BIGINT NOT NULL, 
	CONSTRAINT pk_registry_trusted_keys PRIMARY KEY ("key")
);

CREATE TABLE secrets (
	name VARCHAR(128) NOT NULL, 
	version INTEGER NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	wrapped TEXT NOT NULL, 
	sealed TEXT NOT NULL, 
	"by" VARCHAR(250) NOT NULL, 
	created BIGINT NOT NULL, 
	changed BIGINT NOT NULL, 
	CONSTRAINT pk_secrets PRIMARY KEY (name)
);

CREATE TABLE storage_samples (
	day INTEGER NOT NULL, 
	bytes BIGINT NOT NULL, 
	CONSTRAINT pk_storage_samples PRIMARY KEY (day)
);

CREATE TABLE usage (
	id INTEGER NOT NULL, 
	at BIGINT NOT NULL, 
	run VARCHAR(128) NOT NULL, 
	parent VARCHAR(128) NOT NULL, 
	pipeline VARCHAR(200) NOT NULL, 
	step VARCHAR(200) NOT NULL, 
	loop VARCHAR(128) NOT NULL, 
	who VARCHAR(250) NOT NULL, 
	wall_seconds FLOAT NOT NULL, 
	core_seconds FLOAT NOT NULL, 
	memory_byte_seconds FLOAT NOT NULL, 
	accelerator_seconds FLOAT NOT NULL, 
	CONSTRAINT pk_usage PRIMARY KEY (id)
);

CREATE TABLE access_group_accounts (
	"group" VARCHAR(128) NOT NULL, 
	account VARCHAR(128) NOT NULL, 
	provided BOOLEAN DEFAULT (false) NOT NULL, 
	CONSTRAINT pk_access_group_accounts PRIMARY KEY ("group", account), 
	CONSTRAINT fk_access_group_accounts_account FOREIGN KEY(account) REFERENCES access_accounts (name), 
	CONSTRAINT fk_access_group_accounts_group FOREIGN KEY("group") REFERENCES access_groups (name)
);

CREATE TABLE automl_candidates (
	search VARCHAR(128) NOT NULL, 
	number INTEGER NOT NULL, 
	candidate TEXT NOT NULL, 
	CONSTRAINT pk_automl_candidates PRIMARY KEY (search, number), 
	CONSTRAINT fk_automl_candidates_search FOREIGN KEY(search) REFERENCES automl_searches (name)
);

CREATE TABLE projects (
	name VARCHAR(50) NOT NULL, 
	id VARCHAR(40) NOT NULL, 
	title VARCHAR(250) NOT NULL, 
	description TEXT NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	store VARCHAR(128), 
	residency VARCHAR(100) NOT NULL, 
	most_bytes BIGINT, 
	stored_bytes BIGINT, 
	created BIGINT NOT NULL, 
	created_by VARCHAR(128) NOT NULL, 
	gone_after BIGINT, 
	state_before VARCHAR(20), 
	trouble TEXT DEFAULT ('') NOT NULL, 
	model_url VARCHAR(500) DEFAULT ('') NOT NULL, 
	CONSTRAINT pk_projects PRIMARY KEY (name), 
	CONSTRAINT fk_projects_store FOREIGN KEY(store) REFERENCES project_stores (name)
);

CREATE INDEX ix_access_attempts_last ON access_attempts (last);

CREATE INDEX ix_access_group_accounts_account ON access_group_accounts (account);

CREATE INDEX ix_access_members_name ON access_members (kind, name);

CREATE INDEX ix_access_pending_expires ON access_pending (expires);

CREATE INDEX ix_access_tokens_account ON access_tokens (account, id);

CREATE INDEX ix_access_tokens_run ON access_tokens (run);

CREATE INDEX ix_access_tokens_session ON access_tokens (session);

CREATE INDEX ix_alert_notices_alert ON alert_notices (alert);

CREATE INDEX ix_alert_notices_pending ON alert_notices (pending, id);

CREATE INDEX ix_alert_silences_until ON alert_silences (until);

CREATE INDEX ix_alerts_state ON alerts (state, id);

CREATE INDEX ix_alerts_subject ON alerts (subject, id);

CREATE INDEX ix_assessments_session ON assessments (session);

CREATE INDEX ix_assessments_trace ON assessments (trace);

CREATE INDEX ix_audit_action ON audit (action, id);

CREATE INDEX ix_audit_subject ON audit (subject, id);

CREATE INDEX ix_audit_who ON audit (who, id);

CREATE INDEX ix_automl_searches_created ON automl_searches (created);

CREATE INDEX ix_automl_searches_state ON automl_searches (state);

CREATE INDEX ix_catalog_accesses_ref ON catalog_accesses (ref, id);

CREATE INDEX ix_catalog_entries_kind ON catalog_entries (kind, ref);

CREATE INDEX ix_comments_ref ON comments (ref, id);

CREATE INDEX ix_data_moves_dataset_ref ON data_moves (dataset, ref, number);

CREATE INDEX ix_data_reports_dataset ON data_reports (dataset, number);

CREATE INDEX ix_errands_about ON errands (kind, about, id);

CREATE INDEX ix_errands_state ON errands (state);

CREATE INDEX ix_evaluation_records_created ON evaluation_records ("set", created, id);

CREATE INDEX ix_evaluation_sets_name ON evaluation_sets (name);

CREATE INDEX ix_events_kind ON events (kind, id);

CREATE INDEX ix_events_subject ON events (subject, id);

CREATE INDEX ix_external_runs_started ON external_runs (started);

CREATE INDEX ix_feature_pushes_view ON feature_pushes ("view", id);

CREATE INDEX ix_idempotency_keys_at ON idempotency_keys (at);

CREATE INDEX ix_images_name ON images (name, built);

CREATE INDEX ix_label_items_queue ON label_items (label_set, is_open, priority DESC, number);

CREATE INDEX ix_label_items_set ON label_items (label_set, number);

CREATE INDEX ix_label_turns_set ON label_turns (label_set, annotator, state);

CREATE INDEX ix_labels_annotator ON labels (label_set, annotator, number);

CREATE INDEX ix_labels_item ON labels (item, annotator, number);

CREATE INDEX ix_labels_set ON labels (label_set, is_last, number);

CREATE INDEX ix_lineage_columns_source ON lineage_columns (source);

CREATE INDEX ix_lineage_edges_target ON lineage_edges (target);

CREATE INDEX ix_logged_datasets_name ON logged_datasets (name, digest);

CREATE INDEX ix_logged_models_experiment ON logged_models (experiment, created);

CREATE INDEX ix_logged_models_run ON logged_models (run);

CREATE INDEX ix_loop_decisions_loop ON loop_decisions (loop, id);

CREATE INDEX ix_loop_trainings_loop ON loop_trainings (loop, id);

CREATE INDEX ix_maturity_checks_loop ON maturity_checks (loop, test, id);

CREATE INDEX ix_metric_latest_value ON metric_latest ("key", value, run);

CREATE INDEX ix_model_alias_changes_model ON model_alias_changes (model, id);

CREATE INDEX ix_model_approvals_model ON model_approvals (model, version, id);

CREATE INDEX ix_model_holds_model ON model_holds (model, version);

CREATE INDEX ix_model_versions_run ON model_versions (run);

CREATE INDEX ix_projects_store ON projects (store);

CREATE INDEX ix_rollouts_deployment ON rollouts (deployment, started);

CREATE INDEX ix_run_datasets_dataset ON run_datasets (dataset);

CREATE INDEX ix_run_models_model ON run_models (model);

CREATE INDEX ix_run_params_text ON run_params ("key", text, run);

CREATE INDEX ix_run_tags_key ON run_tags ("key", run);

CREATE INDEX ix_runs_experiment ON runs (experiment, started, number);

CREATE INDEX ix_runs_parent ON runs (parent);

CREATE INDEX ix_runs_started ON runs (started, number);

CREATE INDEX ix_runs_state ON runs (state);

CREATE INDEX ix_snapshots_dataset_place ON snapshots (dataset, place);

CREATE INDEX ix_step_results_step ON step_results (pipeline, step, created, number);

CREATE INDEX ix_stored_files_digest ON stored_files (digest);

CREATE INDEX ix_trace_links_trace ON trace_links (trace, kind);

CREATE INDEX ix_traces_experiment ON traces (experiment, started, id);

CREATE INDEX ix_traces_session ON traces (session);

CREATE INDEX ix_usage_at ON usage (at);

CREATE INDEX ix_usage_loop ON usage (loop, at);

CREATE INDEX ix_usage_run ON usage (run);

CREATE INDEX ix_webhook_deliveries_state ON webhook_deliveries (state, next_try);

CREATE INDEX ix_webhook_deliveries_webhook ON webhook_deliveries (webhook, number);

CREATE INDEX ix_webhooks_created ON webhooks (created, id);

CREATE UNIQUE INDEX uq_alerts_active ON alerts (subject, cause) WHERE state <> 'resolved';

CREATE UNIQUE INDEX uq_model_approvals_open ON model_approvals (model, version) WHERE state = 'requested';

CREATE UNIQUE INDEX uq_model_versions_champion ON model_versions (model) WHERE stage = 'champion';

CREATE UNIQUE INDEX uq_rollouts_active ON rollouts (deployment) WHERE state IN ('running', 'paused');

INSERT INTO alembic_version (version_num) VALUES ('0004');

