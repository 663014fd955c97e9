// Made from the description of the HTTP API by `python -m tools.api_types`; not to be edited.

export interface Access {
  id: string;
  ref: string;
  who: string;
  role: string;
  reason: string;
  state: "granted" | "refused" | "requested" | "withdrawn";
  asked: string;
  answered: string | null;
  by: string;
  note: string;
  until: string | null;
}

export interface Account {
  name: string;
  kind: "service" | "user";
  created: string;
  full_name: string;
  email: string;
  admin: boolean;
  auditor: boolean;
  disabled: boolean;
  has_password: boolean;
  single_sign_on: boolean;
  groups: string[];
  seen: string | null;
}

export interface Agreement {
  items: number;
  annotators: number;
  labels: number;
  agree: number | null;
  fleiss: number | null;
  alpha: number | null;
  pairs: Pair[];
}

export interface AlarmRule {
  after: number;
  quiet: number;
  cooldown_seconds: number;
}

export interface Alert {
  id: string;
  severity: "critical" | "info" | "warning";
  kind: string;
  subject: string;
  cause: string;
  title: string;
  opened: string;
  last_seen: string;
  detail: string;
  facts: Record<string, unknown>;
  state: "acknowledged" | "open" | "resolved";
  count: number;
  resolved: string | null;
  acknowledged_by: string;
  resolution: string;
  assigned_to: string;
}

export interface AliasChange {
  id: number;
  model: string;
  alias: string;
  version: number | null;
  previous: number | null;
  reason: string;
  at: string;
}

export interface Approval {
  id: string;
  model: string;
  version: number;
  state: "approved" | "rejected" | "requested" | "withdrawn";
  requested_by: string;
  requested: string;
  approvers: string[];
  needed: number;
  four_eyes: boolean;
  note: string;
  decided: string | null;
  words: Word[];
}

export interface Assessment {
  id: string;
  trace: string;
  name: string;
  created: string;
  updated: string;
  kind: "expectation" | "feedback" | "issue";
  value: unknown;
  error: Record<string, string> | null;
  source_type: string;
  source: string;
  rationale: string | null;
  metadata: Record<string, string>;
  span: string;
  run: string;
  overrides: string;
  valid: boolean;
}

export interface Attribution {
  column: string;
  change: number;
  mix: number;
  rate: number;
  cells: CellPart[];
}

export interface AuditCheck {
  rows: number;
  last: number;
  hash: string;
  signed: number;
  unknown_keys: string[];
  broken: BrokenRow | null;
}

export interface AuditExport {
  lines: string[];
  last: number;
  is_all: boolean;
  head: Seal | null;
  public_key: string;
}

export interface AuditRow {
  id: number;
  at: string;
  who: string;
  kind: string;
  token: string;
  project: string;
  verb: string;
  action: string;
  subject: string;
  event: number | null;
  facts: Record<string, unknown>;
  previous: string;
  hash: string;
}

export interface Badge {
  state: "failed" | "passed" | "warned";
  at: string;
  summary: string;
  subject: string;
}

export interface Bins {
  edges: number[];
  counts: number[];
  repeated: number[];
  repeated_counts: number[];
  center: number;
  step: number;
  is_many: boolean;
  below: number;
  above: number;
  sum: number;
  sum_squares: number;
  buckets: number[];
}

export interface BrokenRow {
  id: number;
  what: "changed" | "cut off" | "event changed" | "event inserted" | "event removed" | "inserted" | "removed" | "rewritten";
  why: string;
}

export interface Budget {
  name: string;
  amount: number;
  scope: "loop" | "pipeline" | "project" | "who";
  key: string;
  period: "day" | "month" | "week";
  warn_at: number;
}

export interface BudgetState {
  budget: Budget;
  since: string;
  spent: number;
  share: number;
}

export interface BuiltImage {
  digest: string;
  name: string;
  tag: string;
  platform: string;
  models: string[];
  size: number;
  pushed: string[];
  built: string;
}

export interface BulkChange {
  runs: string[];
  left: Record<string, string>;
}

export interface CachedStep {
  key: string;
  pipeline: string;
  step: string;
  run: string;
  artifacts: PipelinesArtifact[];
  is_tuple: boolean;
  code: Record<string, string>;
  params: Record<string, string>;
  inputs: Record<string, string>;
  version: string;
  metrics: Record<string, number>;
  snapshots: string[];
  seconds: number;
  made: string | null;
  created: string | null;
}

export interface CardSection {
  heading: string;
  statements: Statement[];
  tables: CardTable[];
}

export interface CardTable {
  columns: string[];
  rows: string[][];
  source: string;
}

export interface CatalogEntry {
  ref: string;
  kind: string;
  title: string;
  description: string;
  owner: string;
  licence: string;
  pii: string;
  tags: Record<string, string>;
  links: Record<string, string>;
  columns: EntryColumn[];
  freshness: DataFreshness | null;
  quality: Badge | null;
}

export interface CellPart {
  cell: string;
  share_before: number;
  share_now: number;
  loss_before: number | null;
  loss_now: number | null;
  part: number;
}

export interface ChannelSpec {
  channel: string;
  settings: Record<string, unknown>;
  at_least: "critical" | "info" | "warning";
  after: number;
}

export interface CheckResult {
  check: string;
  column: string;
  passed: boolean;
  found: string;
  failing: number;
  total: number;
  severity: "fail" | "warn";
  examples: Record<string, unknown>[];
  sampled: boolean;
}

export interface CheckSpec {
  check: string;
  column: string;
  params: Record<string, unknown>;
  severity: "fail" | "warn";
}

export interface CodeChange {
  file: string;
  name: string;
  diff: string;
}

export interface CodeDifference {
  run: string;
  code: string;
  known: boolean;
  files: FileDifference[];
}

export interface Column {
  name: string;
  type: "binary" | "bool" | "date" | "decimal" | "float" | "int" | "list" | "null" | "string" | "struct" | "time" | "timestamp";
  nullable: boolean;
  storage: string;
}

export interface ColumnCounts {
  column: string;
  counts: number[];
  total: number;
  missing: number;
  below: number;
  above: number;
  repeated: number[];
  unseen: number;
  unreadable: number;
  sum: number;
  sum_squares: number;
  minimum: number | null;
  maximum: number | null;
  buckets: number[];
  unseen_levels: Record<string, number>;
  outside: Record<string, number>;
}

export interface ColumnDrift {
  column: string;
  metric: string;
  distance: number;
  excess: number;
  threshold: number;
  p_value: number;
  q_value: number;
  drifted: boolean;
  cause: string;
}

export interface ColumnEdge {
  source: string;
  source_column: string;
  target: string;
  target_column: string;
  direct: boolean;
  how: string;
}

export interface ColumnImportance {
  column: string;
  value: number;
  low: number;
  high: number;
}

export interface ColumnProfile {
  column: string;
  type: "binary" | "bool" | "date" | "decimal" | "float" | "int" | "list" | "null" | "string" | "struct" | "time" | "timestamp";
  rows: number;
  missing: number;
  not_numbers: number;
  infinite: number;
  distinct: number | null;
  minimum: unknown;
  maximum: unknown;
  mean: number | null;
  std: number | null;
  quantiles: number[];
  bins: Bins | null;
  top: ValueCount[];
  is_top_complete: boolean;
  is_top_exact: boolean;
  lengths: Lengths | null;
  histogram: number[];
  zeros: number | null;
  examples: unknown[];
  storage: string;
}

export interface ColumnSource {
  column: string;
  source: string;
  source_column: string;
  direct: boolean;
  how: string;
}

export interface Comment {
  id: string;
  ref: string;
  by: string;
  text: string;
  at: string;
  reply_to: string;
  edited: string | null;
  deleted: string | null;
}

export interface CostReport {
  by: "loop" | "pipeline" | "project" | "run" | "step" | "who";
  since: string;
  until: string;
  currency: string;
  rows: CostRow[];
  total: CostRow;
  storage_bytes: number | null;
  storage_byte_days: number;
  storage_money: number | null;
}

export interface CostRow {
  key: string;
  runs: number;
  wall_seconds: number;
  core_seconds: number;
  memory_byte_seconds: number;
  accelerator_seconds: number;
  money: number | null;
}

export interface CriterionState {
  level: number;
  title: string;
  is_met: boolean;
  mend: string;
}

export interface CurrentLabel {
  item: string;
  value: unknown;
  confidence: number;
  labels: number;
  at: string;
}

export interface Curve {
  run: string;
  key: string;
  steps: number[];
  times: number[];
  values: (number | null)[];
  count: number;
}

export interface DataCorrelation {
  one: string;
  other: string;
  kind: "cramer" | "pearson" | "spearman";
  value: number;
}

export interface DataDifference {
  name: string;
  states: (string | null)[];
}

export interface DataFreshness {
  changed: string;
  age_seconds: number;
  expected_seconds: number;
  is_fresh: boolean | null;
}

export interface DataMove {
  number: number;
  branch: string;
  snapshot: string;
  previous: string;
  at: string;
  cause: string;
  summary: string;
}

export interface DataRef {
  dataset: string;
  name: string;
  kind: string;
  snapshot: string;
  moved: string;
}

export interface DataUse {
  what: string;
  how: string;
}

export interface Dataset {
  name: string;
  source: string;
  query: string;
  key: string;
  time: string;
  label: string;
  label_time: string;
  description: string;
  watch: string;
}

export interface DatasetChoice {
  name: string;
  digest: string;
}

export interface DatasetSummary {
  experiment: string;
  name: string;
  digest: string;
  context: string | null;
}

export interface Deadline {
  cron: string;
  zone: string;
  within_seconds: number;
  pipeline: string;
  severity: "critical" | "info" | "warning";
}

export interface Decision {
  id: number;
  loop: string;
  at: string;
  decision: string;
  cause: string;
  reason: string;
  evidence: Record<string, unknown>;
}

export interface Delivery {
  alert: string;
  what: "acknowledged" | "escalated" | "opened" | "resolved";
  channel: string;
  attempt: number;
  state: "failed" | "pending" | "sent";
  error: string;
  at: string;
}

export interface Deployment {
  name: string;
  model: string;
  champion: number;
  generation: number;
  created: string;
  updated: string;
  sticky_key: string;
  rollout: Rollout | null;
  logging: LogRules;
}

export interface Deprecation {
  model: string;
  version: number;
  reason: string;
  by: string;
  at: string;
  until: string | null;
  instead: string;
}

export interface Descriptor {
  media_type: string;
  digest: string;
  size: number;
  annotations: Record<string, string>;
  artifact_type: string;
}

export interface Dimension {
  kind: "choice" | "integer" | "number";
  low: number;
  high: number;
  log: boolean;
  step: number | null;
  values: unknown[];
}

export interface DriftReport {
  n_reference: number;
  n: number;
  columns: ColumnDrift[];
  drifted: boolean;
  share: number;
}

export interface Edge {
  source: string;
  target: string;
  relation: string;
  at: string;
}

export interface EntryColumn {
  name: string;
  type: string;
  description: string;
  pii: string;
}

export interface EntryText {
  ref: string;
  kind: string;
  title: string;
  description: string;
  owner: string;
  columns: EntryColumn[];
  tags: Record<string, string>;
  text: string;
  changed: string | null;
  uses: [string, string][];
  column_sources: ColumnSource[];
}

export interface Environment {
  python: string;
  platform: string;
  packages: Record<string, string>;
  processor: string;
  cores: number;
  variables: Record<string, string>;
}

export interface Errand {
  id: string;
  kind: "backfill" | "clean" | "profile" | "run";
  about: string;
  state: "cancelled" | "failed" | "finished" | "paused" | "pending" | "running";
  created: string;
  wish: "cancel" | "go" | "pause";
  code: string;
  source_root: string;
  params: Record<string, unknown>;
  only: string[];
  again_from: string[];
  use_cache: boolean;
  snapshot: string;
  start: string | null;
  end: string | null;
  every: string;
  again: boolean;
  by: string;
  attempt: number;
  job: string;
  done: string;
  result: Record<string, unknown>;
  error: string;
  ended: string | null;
}

export interface Error {
  code: string;
  message: string;
  hint: string;
  facts: Record<string, unknown>;
}

export interface Evaluation {
  task: "classification" | "regression";
  n: number;
  positive_rate: number | null;
  metrics: MetricValue[];
  slices: SliceScore[];
  primary: string;
  weak_slices: WeakSlice[];
  importance: Importance | null;
  fairness: FairnessScore[];
}

export interface EvaluationRecord {
  id: string;
  inputs: Record<string, unknown>;
  created: string;
  updated: string;
  outputs: unknown;
  expectations: Record<string, unknown> | null;
  tags: Record<string, string> | null;
  source: Record<string, unknown> | null;
  created_by: string;
  updated_by: string;
}

export interface EvaluationSet {
  id: string;
  name: string;
  digest: string;
  created: string;
  updated: string;
  created_by: string;
  updated_by: string;
  tags: Record<string, string>;
  schema: Record<string, unknown> | null;
  records: number;
  experiments: string[];
}

export interface Event {
  id: number;
  kind: string;
  subject: string;
  at: string;
  facts: Record<string, unknown>;
}

export interface EvidenceBundle {
  ref: string;
  files: Record<string, string>;
  is_signed: boolean;
}

export interface EvidenceDocument {
  format: string;
  title: string;
  asked_by: string;
  ref: string;
  made: string;
  parts: Part[];
  missing: number;
}

export interface Experiment {
  id: string;
  name: string;
  created: string;
  updated: string;
  runs: number;
  last_started: string | null;
  tags: Record<string, string>;
  location: string;
  deleted: string | null;
}

export interface ExperimentPage {
  experiments: Experiment[];
  next_page_token: string;
}

export interface ExternalRun {
  id: string;
  job: string;
  state: "abort" | "complete" | "fail" | "other" | "running" | "start";
  started: string;
  ended: string | null;
  error: string;
  producer: string;
}

export interface FairnessScore {
  measure: string;
  column: string;
  rate: string;
  value: number | null;
  low: number | null;
  high: number | null;
  threshold: number;
  lowest: string;
  highest: string;
  p_value: number;
  is_unfair: boolean;
  rates: Record<string, number>;
}

export interface FeaturePlan {
  name: string;
  views: PlannedView[];
  functions: PlannedFunction[];
}

export interface FeatureView {
  name: string;
  entity: string[];
  time: string;
  source: string;
  ttl_seconds: number | null;
  columns: string[];
  created: string;
  description: string;
  owner: string;
  query: string;
  inputs: Dataset[];
  function: string;
  code: string;
  windows: FeaturesWindow[];
  tags: Record<string, string>;
  tests: CheckSpec[];
  version: number;
}

export interface FeaturesFreshness {
  view: string;
  version: number;
  newest: string | null;
  written: string | null;
  age_seconds: number | null;
  ttl_seconds: number | null;
  is_stale: boolean;
}

export interface FeaturesWindow {
  column: string;
  how: "count" | "distinct" | "last" | "max" | "mean" | "min" | "std" | "sum";
  over_seconds: number;
  name: string;
  by: string[];
}

export interface File {
  folder: string;
  name: string;
  digest: string;
  size: number;
  created: string;
}

export interface FileDifference {
  path: string;
  change: "added" | "changed" | "removed";
  diff: string;
}

export interface Forgetting {
  snapshot: Snapshot;
  rows: number;
  profile: string;
}

export interface Found {
  project: string;
  ref: string;
  kind: string;
  title: string;
  note: string;
}

export interface Freeze {
  cron: string;
  lasts_seconds: number;
  start: string | null;
  end: string | null;
  reason: string;
}

export interface GateDecision {
  gate: string;
  passed: boolean;
  reason: string;
  facts: Record<string, unknown>;
}

export interface GateSpec {
  gate: string;
  params: Record<string, unknown>;
}

export interface GcReport {
  dry_run: boolean;
  runs: number;
  run_ids: string[];
  rows: Record<string, number>;
  blobs: number;
  bytes: number;
  young: number;
  experiments: number;
  experiment_names: string[];
  logged_models: number;
  traces: number;
}

export interface GovernancePolicySpec {
  name: string;
  kind: string;
  params: Record<string, unknown>;
  risk: string[];
  models: string[];
}

export interface GroundTruth {
  prediction_id: string;
  value: unknown;
  known_at: string;
  revised: number;
}

export interface Group {
  name: string;
  description: string;
  created: string;
  accounts: string[];
}

export interface GroupCounts {
  group: string;
  n: number;
  called: number;
  labelled: number;
  labelled_called: number;
  actual: number;
  hits: number;
  score_sum: number;
  score_variance: number;
}

export interface GroupRates {
  column: string;
  group: string;
  n: number;
  labelled: number;
  positive_rate: number | null;
  accuracy: number | null;
  true_positive_rate: number | null;
  false_positive_rate: number | null;
  metric: "accuracy" | "false_positive_rate" | "positive_rate" | "true_positive_rate";
  ratio: number | null;
  is_apart: boolean;
}

export interface GroupWindow {
  column: string;
  measure: string;
  counts: GroupCounts[];
}

export interface Hit {
  ref: string;
  kind: string;
  title: string;
  description: string;
  owner: string;
  tags: Record<string, string>;
  score: number;
  columns: string[];
}

export interface Image {
  name: string;
  tag: string;
  digest: string;
  folder: string;
  platform: string;
  layers: Layer[];
  size: number;
  python: string;
  models: string[];
  attached: string[];
  differs: string[];
}

export interface Importance {
  metric: "log_loss" | "mae";
  n: number;
  loss: number;
  columns: ColumnImportance[];
}

export interface InputsOfRun {
  run: string;
  datasets: LoggedDataset[];
  models: string[];
  outputs: ModelOutput[];
}

export interface Item {
  key: string;
  data: Record<string, unknown>;
  ref: string;
  digest: string;
  prediction: Record<string, unknown>;
  priority: number;
  source: string;
  labels: number;
  needed: number;
  order: number;
}

export interface JointDrift {
  group: string;
  metric: string;
  distance: number;
  threshold: number;
  p_value: number;
  drifted: boolean;
  cause: string;
  columns: string[];
}

export interface Label {
  number: number;
  item: string;
  value: unknown;
  annotator: string;
  at: string;
  source: string;
  confidence: number | null;
  origin: string;
}

export interface LabelSet {
  name: string;
  task: "accept" | "boxes" | "classify" | "span" | "tags" | "text";
  items: "audio" | "image" | "row" | "text";
  classes: string[];
  overlap: number;
  rule: "consensus" | "last" | "majority";
  lease_seconds: number;
  description: string;
  instructions: string;
}

export interface Layer {
  kind: string;
  descriptor: Descriptor;
  diff_id: string;
}

export interface Leaderboard {
  metric: string;
  direction: "max" | "min";
  standings: TrackingStanding[];
}

export interface Lengths {
  least: number;
  mean: number;
  most: number;
}

export interface LogRules {
  sample: number;
  inputs: boolean;
  mask: Record<string, "drop" | "hash" | "text">;
  salt: string;
}

export interface LoggedDataset {
  name: string;
  digest: string;
  source_type: string;
  source: string;
  schema: string;
  profile: string;
  tags: Record<string, string>;
}

export interface LoggedModel {
  id: string;
  experiment: string;
  name: string;
  kind: string;
  run: string;
  status: "failed" | "pending" | "ready" | "unspecified";
  created: string;
  updated: string;
  deleted: string | null;
  params: Record<string, string>;
  tags: Record<string, string>;
  metrics: ModelMetric[];
}

export interface LoggedModelPage {
  models: LoggedModel[];
  next_page_token: string;
}

export interface Loop {
  name: string;
  pipeline: string;
  params: Record<string, unknown>;
  retrain: TriggerSpec[];
  gates: GateSpec[];
  rollout: RolloutSpec;
  monitors: MonitorSpec[];
  window_seconds: number;
  label_delay_seconds: number;
  cooldown_seconds: number;
  max_trainings_per_week: number;
  channels: ChannelSpec[];
  sticky_key: string;
  code: string;
  module: string;
  source_root: string;
  paused: string;
  freeze: Freeze[];
  dry_run: boolean;
  policies: LoopsPolicySpec[];
  max_core_seconds_per_week: number;
  alarms: AlarmRule;
  due: Deadline[];
}

export interface LoopState {
  loop: Loop;
  applied: string;
  state: "paused" | "rolling out" | "training" | "waiting for a first version" | "watching";
  training: Training | null;
  last_decision: Decision | null;
}

export interface LoopsCandidate {
  retrain: string[];
  cooldown: string;
  trainings: number;
  waits: number;
  quality: number | null;
  gain: number | null;
  seconds: number | null;
  is_present: boolean;
  is_best: boolean;
}

export interface LoopsPolicySpec {
  policy: string;
  on: string[];
  params: Record<string, unknown>;
}

export interface ManualCheck {
  id: number;
  loop: string;
  test: string;
  at: string;
  by: string;
  kind: string;
  evidence: string;
}

export interface Materialization {
  view: string;
  version: number;
  at: string;
  source: string;
  rows: number;
  keys: number;
  newest: string | null;
  known: string | null;
}

export interface MaturityReport {
  loop: string;
  level: number;
  criteria: CriterionState[];
  score: number;
  meaning: string;
  sections: SectionScore[];
  tests: TestScore[];
  next_step: string;
  command: string;
}

export interface MediaKind {
  kind: string;
  files: number;
  size: number;
  suffixes: string[];
  width: [number, number] | null;
  height: [number, number] | null;
}

export interface Member {
  project: string;
  kind: "account" | "group";
  name: string;
  role: "contributor" | "maintainer" | "none" | "owner" | "viewer";
  since: string;
  by: string;
}

export interface Merged {
  inserted: number;
  updated: number;
}

export interface MetricDifference {
  key: string;
  values: (number | null)[];
  direction: "max" | "min";
  best: number[];
}

export interface MetricPoint {
  key: string;
  value: number | null;
  at: string;
  step: number;
}

export interface MetricValue {
  name: string;
  value: number | null;
  low: number | null;
  high: number | null;
  n: number;
}

export interface ModelCard {
  model: string;
  version: number;
  sections: CardSection[];
  own: OwnSection[];
  made: string;
}

export interface ModelMetric {
  key: string;
  value: number | null;
  at: string;
  run: string;
  step: number;
  dataset: string;
  digest: string;
}

export interface ModelOrder {
  field: string;
  ascending: boolean;
  dataset: string;
  digest: string;
}

export interface ModelOutput {
  model: string;
  step: number;
}

export interface ModelPackage {
  id: string;
  flavor: string;
  files: Record<string, string>;
  size: number;
  signature: Signature;
  environment: Environment;
  input_example: string;
  flavor_settings: Record<string, string>;
  twin: OnnxTwin | null;
}

export interface ModelPage {
  models: RegisteredModel[];
  next_page_token: string;
}

export interface ModelVersion {
  model: string;
  version: number;
  stage: "archived" | "candidate" | "challenger" | "champion" | "retired";
  package: ModelPackage;
  created: string;
  run: string;
  snapshots: string[];
  evaluation: Evaluation | null;
  holdout: string;
  label: string;
  slices: string[];
  reference: string;
  code: string;
  params: Record<string, unknown>;
  description: string;
  tags: Record<string, string>;
  aliases: string[];
  verdict: Verdict | null;
  source: string;
  status: "failed" | "pending" | "ready";
  user: string;
  mlflow_stage: "Archived" | "None" | "Production" | "Staging";
  logged_model: string;
  run_link: string;
  updated: string | null;
}

export interface Model_SearchCandidate {
  search: string;
  number: number;
  family: string;
  state: "failed" | "finished" | "running" | "stopped" | "waiting";
  params: Record<string, unknown>;
  members: Record<string, number>;
  rungs: Rung[];
  score: number | null;
  holdout: number | null;
  fit_seconds: number | null;
  predict_ms: number | null;
  size: number | null;
  code: string;
  run: string;
  predictions: string;
  error: string;
}

export interface MonitorSpec {
  monitor: string;
  params: Record<string, unknown>;
}

export interface MonitoringWindow {
  deployment: string;
  start: string;
  end: string;
  predictions: number;
  versions: Record<string, number>;
  labelled: number;
  complete: boolean;
  drift: DriftReport | null;
  quality: QualityFinding[];
  multivariate: JointDrift[];
  outcomes: ColumnDrift[];
  performance: MetricValue[];
  performance_by_version: Record<string, MetricValue[]>;
  estimated: MetricValue[];
  attribution: Attribution[];
  bias: GroupRates[];
  fairness: FairnessScore[];
  groups: GroupWindow[];
  findings: string[];
  causes: string[];
  profile: Profile | null;
  examined: string | null;
}

export interface NewArtifact {
  name: string;
  digest: string;
  size: number;
  kind: string;
}

export interface NewItem {
  key: string;
  data: Record<string, unknown>;
  ref: string;
  digest: string;
  prediction: Record<string, unknown>;
  priority: number;
  source: string;
}

export interface NewLabel {
  item: string;
  value: unknown;
  annotator: string;
  source: string;
  confidence: number | null;
  origin: string;
  at: string | null;
}

export interface NewRecord {
  inputs: Record<string, unknown>;
  outputs: unknown;
  expectations: Record<string, unknown> | null;
  tags: Record<string, string> | null;
  source: Record<string, unknown> | null;
  keep_outputs: boolean;
}

export interface NewToken {
  token: Token;
  secret: string;
}

export interface Objective {
  metric: string;
  direction: "maximize" | "minimize";
}

export interface OnlineAnswer {
  rows: Record<string, unknown>[];
  missing: Record<string, string>[];
}

export interface OnnxTwin {
  file: string;
  rows: number;
  difference: number;
  speedup: number;
}

export interface OwnSection {
  model: string;
  version: number;
  heading: string;
  text: string;
  by: string;
  created: string;
  updated: string;
}

export interface Pair {
  first: string;
  second: string;
  items: number;
  agree: number;
  kappa: number | null;
  confusion: [string, string, number][];
}

export interface ParamDifference {
  key: string;
  values: (string | number | boolean | null)[];
}

export interface Part {
  heading: string;
  said: Said[];
  missing: string;
  command: string;
}

export interface PersonalColumn {
  dataset: string;
  column: string;
  kind: string;
  is_input: boolean;
}

export interface PersonalOrigin {
  ref: string;
  datasets: string[];
  columns: PersonalColumn[];
}

export interface PiiClasses {
  declared: Record<string, string>;
  cleared: string[];
}

export interface PiiFlag {
  column: string;
  kind: "address" | "birth" | "card" | "iban" | "id" | "ip" | "mail" | "name" | "other" | "phone";
  confidence: number;
  reason: string;
  is_declared: boolean;
}

export interface PipelinesArtifact {
  digest: string;
  kind: "arrow" | "file" | "json" | "live" | "noun" | "pickle" | "table";
  size: number;
  type: string;
  code: string;
  inline: string;
  name: string;
}

export interface Pivot {
  rows: ((string | number | null)[])[];
  columns: (string | number | null)[];
  cells: ((number | null)[])[];
}

export interface Planned {
  loop: string;
  pipeline: string;
  at: string;
  cron: string;
  waits_because: string;
}

export interface PlannedFunction {
  name: string;
  inputs: string[];
  outputs: string[];
  function: string;
  source: string;
}

export interface PlannedView {
  view: FeatureView;
  schema: Schema;
  names: Record<string, string>;
}

export interface PolicyChange {
  name: string;
  kind: string;
  change: "changed" | "new" | "removed" | "unchanged";
}

export interface PolicyFinding {
  policy: string;
  kind: string;
  why: string;
  mend: string;
}

export interface Prices {
  currency: string;
  core_hour: number;
  memory_gib_hour: number;
  accelerator_hour: number;
  storage_gib_month: number;
}

export interface Profile {
  n: number;
  reference: string;
  columns: Record<string, ColumnCounts>;
  rows: RowSample | null;
  types: Record<string, string>;
}

export interface Progress {
  items: number;
  done: number;
  started: number;
  leased: number;
  skipped: number;
  labels: number;
  annotators: Record<string, number>;
}

export interface Project {
  name: string;
  id: string;
  title: string;
  description: string;
  state: "active" | "archived" | "deleted" | "removing";
  role: "contributor" | "maintainer" | "none" | "owner" | "viewer";
  store: string;
  residency: string;
  most_bytes: number | null;
  stored_bytes: number | null;
  created: string | null;
  created_by: string;
  gone_after: string | null;
  trouble: string;
  model_url: string;
}

export interface Push {
  id: number;
  view: string;
  at: string;
  digest: string;
  rows: number;
}

export interface PushReport {
  view: string;
  rows: number;
  written: number;
  older: number;
  later: number;
  unusable: number;
  waiting: number;
}

export interface QualityFinding {
  column: string;
  kind: "above" | "below" | "duplicated" | "gone" | "late" | "missing" | "misspelt" | "new_column" | "repeated" | "unit" | "unreadable" | "unseen" | "volume";
  reference: number;
  current: number;
  detail: string;
  p_value: number;
}

export interface QualityReport {
  number: number;
  dataset: string;
  snapshot: string;
  at: string;
  report: ValidationReport;
}

export interface RecordPage {
  records: EvaluationRecord[];
  next_page_token: string;
}

export interface Recorded {
  job: string;
  run: string;
  inputs: string[];
  outputs: string[];
}

export interface RegisteredModel {
  name: string;
  versions: number;
  latest: number;
  champion: number | null;
  aliases: Record<string, number>;
  created: string;
  updated: string;
  description: string;
  tags: Record<string, string>;
}

export interface RegistryStanding {
  model: string;
  version: number;
  stage: "archived" | "candidate" | "challenger" | "champion" | "retired";
  aliases: string[];
  deprecation: Deprecation | null;
  retirement: Retirement | null;
  held_by: string[];
  missing: string[];
}

export interface Report {
  step: number;
  value: number;
}

export interface Result {
  winner: number;
  family: string;
  score: number;
  holdout: number | null;
  baseline: number | null;
  stopped: string;
  package: ModelPackage | null;
  importance: Importance | null;
  file: string;
}

export interface Retained {
  policy: string;
  of: string;
  name: string;
  before: string;
  removed: number;
  kept: string[];
}

export interface RetentionReport {
  is_dry_run: boolean;
  done: Retained[];
}

export interface Retirement {
  model: string;
  version: number;
  reason: string;
  by: string;
  at: string;
  former_stage: "archived" | "candidate" | "challenger" | "champion" | "retired";
  keeps_files: boolean;
  freed_files: number;
  freed_bytes: number;
}

export interface Revision {
  deployment: string;
  generation: number;
  champion: number;
  challenger: number | null;
  percent: number;
  reason: string;
  at: string;
}

export interface Rollback {
  model: string;
  from_version: number | null;
  to_version: number;
  reason: string;
  at: string;
}

export interface Rollout {
  id: string;
  deployment: string;
  model: string;
  from_version: number;
  to_version: number;
  spec: RolloutSpec;
  step: number;
  percent: number;
  state: "paused" | "promoted" | "rolled_back" | "running";
  started: string;
  step_started: string;
  evidence: Record<string, number | string | null>;
  ended: string | null;
  reason: string;
}

export interface RolloutSpec {
  strategy: "ab" | "blue_green" | "canary" | "immediate" | "shadow";
  steps: number[];
  hold_seconds: number;
  min_predictions: number;
  alpha: number;
  early: boolean;
  only_if_better: boolean;
}

export interface RowColumn {
  name: string;
  kind: string;
  masked: string;
}

export interface RowPage {
  columns: RowColumn[];
  rows: unknown[][];
  total: number;
  offset: number;
}

export interface RowSample {
  hashes: number[];
  counts: number[];
}

export interface Run {
  id: string;
  experiment: string;
  name: string;
  kind: string;
  state: "cancelled" | "failed" | "finished" | "lost" | "running" | "scheduled";
  started: string;
  ended: string | null;
  heartbeat: string;
  parent: string;
  attempt: number;
  params: Record<string, string | number | boolean | null>;
  tags: Record<string, string>;
  metrics: Record<string, number | null>;
  code: string;
  environment: Record<string, string>;
  error: string;
  notes: string;
  deleted: string | null;
  user: string;
  experiment_id: string;
}

export interface RunColumns {
  params: string[];
  metrics: string[];
  tags: string[];
  runs: number;
}

export interface RunComparison {
  runs: Run[];
  params: ParamDifference[];
  same_params: Record<string, string | number | boolean | null>;
  metrics: MetricDifference[];
  tags: ParamDifference[];
  environment: ParamDifference[];
  data: DataDifference[];
  code: CodeDifference[];
}

export interface RunGroup {
  values: (string | number | null)[];
  count: number;
  results: (number | null)[];
}

export interface RunGroups {
  by: string[];
  aggregates: string[];
  groups: RunGroup[];
  complete: boolean;
}

export interface RunPage {
  runs: Run[];
  next_page_token: string;
  total: number | null;
}

export interface RunRecord {
  id: string;
  experiment: string;
  state: "cancelled" | "failed" | "finished";
  started: string;
  ended: string;
  name: string;
  kind: string;
  parent: string;
  params: Record<string, string | number | boolean | null>;
  tags: Record<string, string>;
  metrics: MetricPoint[];
  artifacts: TrackingArtifact[];
  code: string;
  environment: Record<string, string>;
  error: string;
  user: string;
}

export interface Rung {
  rung: number;
  rows: number;
  folds: number;
  score: number;
  spread: number | null;
  seconds: number;
}

export interface Said {
  text: string;
  source: string;
}

export interface SavedView {
  name: string;
  kind: "experiments" | "runs";
  filter: string;
  created: string;
  updated: string;
  order_by: string[];
  columns: string[];
  experiments: string[];
}

export interface Schema {
  columns: Column[];
}

export interface Scorer {
  id: string;
  experiment: string;
  name: string;
  version: number;
  definition: string;
  created: string;
}

export interface Seal {
  id: number;
  hash: string;
  at: number;
  key: string;
  signature: string;
}

export interface Search {
  name: string;
  wanted: Wanted;
  state: "cancelled" | "failed" | "finished" | "queued" | "running";
  place: "here" | "worker";
  created: string;
  task: "classification" | "forecasting" | "regression" | "";
  metric: string;
  direction: "maximize" | "minimize" | "";
  snapshot: string;
  rows: number;
  held: number;
  columns: number;
  notes: string[];
  spent: number;
  attempt: number;
  beat: string;
  ended: string | null;
  job: string;
  is_cancelled: boolean;
  candidates: number;
  best: number | null;
  error: string;
  result: Result | null;
}

export interface SecretInfo {
  name: string;
  version: number;
  key: string;
  by: string;
  created: string;
  changed: string;
}

export interface SectionScore {
  section: string;
  points: number;
}

export interface SeenDataset {
  entry: EntryText;
  writes: boolean;
}

export interface SeenEvent {
  at: string;
  producer: string;
  job: EntryText | null;
  run: string;
  state: "abort" | "complete" | "fail" | "other" | "running" | "start";
  error: string;
  parent: string;
  datasets: SeenDataset[];
}

export interface Sentence {
  at: string;
  decision: string;
  because: string;
  sure: string;
  kind: string;
  so: string;
}

export interface Series {
  key: string;
  steps: number[];
  times: number[];
  values: (number | null)[];
}

export interface Session {
  id: string;
  traces: number;
  first: string;
  last: string;
  total_tokens: number;
  total_cost: number;
}

export interface SetPage {
  sets: EvaluationSet[];
  next_page_token: string;
}

export interface Signature {
  task: "classification" | "other" | "regression";
  inputs: Schema;
  outputs: Schema;
  classes: (string | number | boolean)[];
}

export interface Silence {
  id: string;
  subject: string;
  cause: string;
  until: string;
  created: string;
  reason: string;
  by: string;
}

export interface Simulation {
  loop: string;
  start: string;
  end: string;
  windows: number;
  trainings: number;
  would_have: WouldHave[];
  waits: WouldHave[];
  seconds_each: number | null;
  metric: string;
  quality: number | null;
  quality_would_have: number | null;
  slope: number | null;
  slope_error: number | null;
  notes: string[];
}

export interface SliceScore {
  column: string;
  value: string;
  n: number;
  metrics: MetricValue[];
}

export interface Snapshot {
  id: string;
  dataset: string;
  format: "csv" | "delta" | "folder" | "iceberg" | "json" | "parquet";
  files: SnapshotFile[];
  schema: Schema | null;
  rows: number | null;
  size: number;
  created: string;
  parent: string;
  summary: string;
  file_count: number;
  layout: string;
  content: string;
  media: MediaKind[];
  reference: string;
}

export interface SnapshotFile {
  path: string;
  digest: string;
  size: number;
}

export interface Span {
  trace: string;
  id: string;
  name: string;
  started_ns: number;
  ended_ns: number | null;
  parent: string;
  type: string;
  status: "error" | "ok" | "unset";
  message: string;
  kind: "client" | "consumer" | "internal" | "producer" | "server";
  inputs: unknown;
  outputs: unknown;
  tokens: Record<string, number>;
  cost: Record<string, number>;
  model: string;
  attributes: Record<string, unknown>;
  events: SpanEvent[];
  links: SpanLink[];
}

export interface SpanEvent {
  name: string;
  at_ns: number;
  attributes: Record<string, unknown>;
}

export interface SpanLink {
  trace: string;
  span: string;
  attributes: Record<string, unknown>;
}

export interface Statement {
  text: string;
  source: string;
}

export interface StepReason {
  step: string;
  run: string;
  state: string;
  cache: string;
  reason: string;
  compared_with: string;
  changes: CodeChange[];
}

export interface StepUsage {
  run: string;
  step: string;
  wall_seconds: number;
  core_seconds: number;
  memory_byte_seconds: number;
  accelerator_seconds: number;
}

export interface Store {
  name: string;
  database: string;
  objects: string;
  s3_endpoint: string;
  s3_region: string;
  residency: string;
}

export interface Study {
  name: string;
  target: string;
  space: Record<string, Dimension>;
  objectives: Objective[];
  fixed: Record<string, unknown>;
  sampler: string;
  pruner: string;
  seed: number;
  created: string;
}

export interface TableProfile {
  rows: number;
  columns: ColumnProfile[];
  duplicates: number | null;
  correlations: DataCorrelation[];
  flags: PiiFlag[];
  sample: number;
  snapshot: string;
}

export interface TestScore {
  test: string;
  title: string;
  points: number;
  why: string;
  source: string;
  mend: string;
}

export interface Token {
  id: string;
  account: string;
  kind: "session" | "token" | "worker";
  name: string;
  scope: "read" | "write";
  role: "contributor" | "maintainer" | "none" | "owner" | "viewer";
  created: string;
  created_by: string;
  project: string;
  run: string;
  expires: string | null;
  revoked: string | null;
  used: string | null;
}

export interface Trace {
  id: string;
  experiment: string;
  started: string;
  name: string;
  state: "error" | "in_progress" | "ok" | "unspecified";
  milliseconds: number | null;
  client_request_id: string | null;
  request_preview: string | null;
  response_preview: string | null;
  session: string | null;
  tokens: Record<string, number>;
  cost: Record<string, number>;
  tags: Record<string, string>;
  metadata: Record<string, string>;
  assessments: Assessment[];
  expected_spans: number | null;
  told: boolean;
  span_count: number;
  location: string;
  spans: Span[];
}

export interface TracePage {
  traces: Trace[];
  next_page_token: string;
}

export interface TrackingArtifact {
  run: string;
  name: string;
  digest: string;
  size: number;
  kind: string;
  created: string;
}

export interface TrackingCorrelation {
  first: number;
  second: number;
  both: number;
  all: number;
  npmi: number | null;
  smoothed: number | null;
}

export interface TrackingStanding {
  rank: number;
  run: Run;
  value: number;
  behind: number;
}

export interface Training {
  id: string;
  loop: string;
  kind: "judge" | "train";
  cause: string;
  trigger: string;
  reason: string;
  evidence: Record<string, unknown>;
  state: "cancelled" | "failed" | "pending" | "running" | "succeeded";
  attempt: number;
  created: string;
  job: string;
  version: number | null;
  error: string;
  ended: string | null;
  plan: Record<string, unknown> | null;
  core_seconds: number | null;
}

export interface Trial {
  study: string;
  number: number;
  state: "failed" | "finished" | "pruned" | "running";
  params: Record<string, unknown>;
  started: string;
  ended: string | null;
  values: number[];
  run: string;
  reports: Report[];
  error: string;
}

export interface TriggerSpec {
  trigger: string;
  params: Record<string, unknown>;
}

export interface TrustedKey {
  key: string;
  public_key: string;
  name: string;
  at: string;
}

export interface Use {
  ref: string;
  kind: string;
  relation: string;
  steps: number;
  through: string;
}

export interface ValidationReport {
  passed: boolean;
  rows: number;
  results: CheckResult[];
  sample: number | null;
}

export interface ValueCount {
  value: unknown;
  rows: number;
}

export interface Verdict {
  passed: boolean;
  decisions: GateDecision[];
  at: string;
}

export interface VersionPage {
  versions: ModelVersion[];
  next_page_token: string;
}

export interface VersionSignature {
  model: string;
  version: number;
  key: string;
  signature: string;
  described: string;
  public_key: string;
  by: string;
  at: string;
}

export interface ViewVersion {
  view: FeatureView;
  declared: string;
  schema: Schema | null;
  is_latest: boolean;
}

export interface Wanted {
  dataset: string;
  label: string;
  budget: number;
  metric: string;
  task: "classification" | "forecasting" | "regression" | "";
  time: string;
  groups: string[];
  horizon: number;
  jobs: number;
  families: string[];
  seed: number;
}

export interface WeakSlice {
  where: Record<string, string>;
  n: number;
  loss: number;
  rest: number;
  p_value: number;
  share_of_loss: number;
}

export interface Webhook {
  id: string;
  name: string;
  url: string;
  events: string[];
  created: string;
  updated: string;
  description: string;
  is_signed: boolean;
  active: boolean;
}

export interface WebhookDelivery {
  id: string;
  webhook: string;
  event: string;
  state: "failed" | "pending" | "sent";
  attempt: number;
  error: string;
  at: string;
}

export interface WebhookTest {
  success: boolean;
  status: number | null;
  body: string;
  error: string;
}

export interface Whoami {
  name: string;
  kind: string;
  project: string;
  role: "contributor" | "maintainer" | "none" | "owner" | "viewer";
  projects: Record<string, string>;
  full_name: string;
  admin: boolean;
  auditor: boolean;
  proven: boolean;
}

export interface Word {
  by: string;
  word: "approve" | "reject";
  reason: string;
  at: string;
}

export interface WouldHave {
  at: string;
  trigger: string;
  reason: string;
  waited_for: string;
}

// Asked with GET.
export interface Reads {
  "accounts/get": { takes: { name: string }; gives: Account };
  "accounts/list": { takes: { kind?: "service" | "user" | null; limit?: number; after?: string }; gives: Account[] };
  "accounts/whoami": { takes: Record<string, never>; gives: Whoami };
  "alerts/get": { takes: { id: string }; gives: Alert };
  "alerts/list": { takes: { state?: string; subject?: string; limit?: number; before?: string }; gives: Alert[] };
  "alerts/list_deliveries": { takes: { id: string }; gives: Delivery[] };
  "alerts/list_silences": { takes: { with_past?: boolean; limit?: number }; gives: Silence[] };
  "approvals/list": { takes: { ref?: string; state?: "approved" | "rejected" | "requested" | "withdrawn" | null; limit?: number; before?: string }; gives: Approval[] };
  "assessments/get": { takes: { trace: string; assessment: string }; gives: Assessment };
  "assessments/list": { takes: { trace: string }; gives: Assessment[] };
  "audit/export": { takes: { after?: number; limit?: number; format?: "jsonl" | "syslog" }; gives: AuditExport };
  "audit/list": { takes: { after?: number; before?: number; who?: string; action?: string; subject?: string; since?: string | null; until?: string | null; limit?: number; newest_first?: boolean }; gives: AuditRow[] };
  "audit/show": { takes: { id: number }; gives: AuditRow };
  "audit/verify": { takes: { public_keys?: string[] }; gives: AuditCheck };
  "automl/file": { takes: { name: string }; gives: string };
  "automl/get": { takes: { name: string }; gives: Search };
  "automl/leaderboard": { takes: { name: string; limit?: number }; gives: Model_SearchCandidate[] };
  "automl/list": { takes: { limit?: number; after?: string; state?: string }; gives: Search[] };
  "catalog/column_lineage": { takes: { ref: string; column?: string; upstream?: boolean; depth?: number }; gives: ColumnEdge[] };
  "catalog/get": { takes: { ref: string }; gives: CatalogEntry };
  "catalog/lineage": { takes: { ref: string; upstream?: boolean; depth?: number }; gives: Edge[] };
  "catalog/list_access": { takes: { ref?: string; state?: string; limit?: number; before?: string }; gives: Access[] };
  "catalog/search": { takes: { words?: string; kinds?: string[]; owner?: string; tag?: string; limit?: number }; gives: Hit[] };
  "catalog/usage": { takes: { ref: string; depth?: number }; gives: Use[] };
  "clock/is_set": { takes: Record<string, never>; gives: boolean };
  "clock/state": { takes: Record<string, never>; gives: [string, boolean] };
  "comments/list": { takes: { ref: string; limit?: number; after?: string; deleted?: boolean }; gives: Comment[] };
  "comments/mentions": { takes: { name: string; limit?: number; before?: string }; gives: Comment[] };
  "cost/budgets": { takes: Record<string, never>; gives: BudgetState[] };
  "cost/prices": { takes: Record<string, never>; gives: Prices };
  "cost/report": { takes: { by?: "loop" | "pipeline" | "project" | "run" | "step" | "who"; since?: string | null; until?: string | null; loop?: string; pipeline?: string; run?: string; limit?: number }; gives: CostReport };
  "data/find_snapshot": { takes: { ref: string }; gives: Snapshot };
  "data/get": { takes: { name: string }; gives: Dataset };
  "data/get_snapshot": { takes: { dataset: string; version?: string; as_of?: string | null }; gives: Snapshot };
  "data/list": { takes: { limit?: number; after?: string }; gives: Dataset[] };
  "data/list_snapshots": { takes: { dataset: string; limit?: number; before?: string }; gives: Snapshot[] };
  "data_versions/history": { takes: { dataset: string; branch?: string; limit?: number; before?: number }; gives: DataMove[] };
  "data_versions/refs": { takes: { dataset: string }; gives: DataRef[] };
  "data_versions/uses": { takes: { dataset: string; version?: string }; gives: DataUse[] };
  "deployments/get": { takes: { name: string }; gives: Deployment };
  "deployments/history": { takes: { name: string; limit?: number; before?: number }; gives: Revision[] };
  "deployments/list": { takes: { limit?: number; after?: string }; gives: Deployment[] };
  "deployments/list_rollouts": { takes: { name?: string; limit?: number; before?: string }; gives: Rollout[] };
  "errands/get": { takes: { errand: string }; gives: Errand };
  "errands/list": { takes: { about?: string; kind?: string; state?: string; limit?: number; before?: string }; gives: Errand[] };
  "evaluation_sets/get": { takes: { set: string }; gives: EvaluationSet };
  "evaluation_sets/records": { takes: { set: string; limit?: number; page_token?: string }; gives: RecordPage };
  "evaluation_sets/search": { takes: { filter?: string; experiments?: string[] | null; order_by?: string[] | null; limit?: number; page_token?: string; native?: boolean }; gives: SetPage };
  "events/list": { takes: { after?: number; kinds?: string[]; subject?: string; limit?: number; newest_first?: boolean }; gives: Event[] };
  "evidence/bundle": { takes: { ref: string; formats?: string[] | null }; gives: EvidenceBundle };
  "evidence/get": { takes: { ref: string; format?: string }; gives: EvidenceDocument };
  "evidence/list_formats": { takes: Record<string, never>; gives: Record<string, string> };
  "experiments/find": { takes: { name: string }; gives: Experiment };
  "experiments/get": { takes: { experiment: string }; gives: Experiment };
  "experiments/list": { takes: { limit?: number; after?: string; deleted?: "active" | "all" | "deleted" }; gives: Experiment[] };
  "external/list_runs": { takes: { job?: string; limit?: number }; gives: ExternalRun[] };
  "features/describe": { takes: { name: string; version?: number }; gives: ViewVersion };
  "features/get": { takes: { name: string; version?: number }; gives: FeatureView };
  "features/get_set": { takes: { name: string; version?: number }; gives: FeaturePlan };
  "features/history": { takes: { name: string }; gives: ViewVersion[] };
  "features/list": { takes: { limit?: number; after?: string }; gives: FeatureView[] };
  "features/list_sets": { takes: Record<string, never>; gives: string[] };
  "features/materialization": { takes: { name: string; version?: number }; gives: Materialization | null };
  "features/plan_of": { takes: { names: string[] }; gives: FeaturePlan };
  "features/pushes": { takes: { name: string }; gives: Push[] };
  "features/used_by": { takes: { run: string }; gives: FeaturePlan | null };
  "features_online/freshness": { takes: { view: string }; gives: FeaturesFreshness };
  "features_online/statistics": { takes: { view: string }; gives: TableProfile };
  "features_online/values": { takes: { view: string; limit?: number; column?: string; contains?: string }; gives: RowPage };
  "files/get": { takes: { folder: string; name: string }; gives: File };
  "files/list": { takes: { folder: string; prefix?: string; limit?: number; after?: string }; gives: File[] };
  "groups/list": { takes: { limit?: number; after?: string }; gives: Group[] };
  "images/get": { takes: { digest: string }; gives: BuiltImage };
  "images/list": { takes: { name?: string; model?: string; limit?: number; before?: string | null }; gives: BuiltImage[] };
  "labels/agreement": { takes: { name: string }; gives: Agreement };
  "labels/annotator_quality": { takes: { name: string }; gives: Record<string, number> };
  "labels/current": { takes: { name: string; rule?: "consensus" | "last" | "majority" | null; limit?: number; after?: string }; gives: CurrentLabel[] };
  "labels/get": { takes: { name: string }; gives: LabelSet };
  "labels/get_item": { takes: { name: string; key: string }; gives: Item };
  "labels/list": { takes: { limit?: number; after?: string }; gives: LabelSet[] };
  "labels/list_items": { takes: { name: string; limit?: number; after?: number }; gives: Item[] };
  "labels/list_labels": { takes: { name: string; item?: string; annotator?: string; limit?: number; after?: number; only_last?: boolean }; gives: Label[] };
  "labels/progress": { takes: { name: string }; gives: Progress };
  "lifecycle/former_champion": { takes: { model: string }; gives: number | null };
  "lifecycle/get": { takes: { ref: string }; gives: RegistryStanding };
  "lifecycle/list_deprecated": { takes: { model?: string; limit?: number }; gives: Deprecation[] };
  "lineage/columns": { takes: { ref: string; column?: string; depth?: number; upstream?: boolean }; gives: ColumnEdge[] };
  "lineage/downstream": { takes: { ref: string; depth?: number; versions?: boolean }; gives: Edge[] };
  "lineage/upstream": { takes: { ref: string; depth?: number; versions?: boolean }; gives: Edge[] };
  "logged_models/get": { takes: { model: string; with_deleted?: boolean }; gives: LoggedModel };
  "loops/get": { takes: { name: string }; gives: LoopState };
  "loops/get_training": { takes: { training: string }; gives: Training };
  "loops/history": { takes: { name: string; limit?: number; before?: number; newest_first?: boolean }; gives: Decision[] };
  "loops/list": { takes: { limit?: number; after?: string }; gives: LoopState[] };
  "loops/list_trainings": { takes: { name: string; limit?: number; before?: string }; gives: Training[] };
  "maturity/get": { takes: { loop: string }; gives: MaturityReport };
  "maturity/list": { takes: { limit?: number; after?: string }; gives: MaturityReport[] };
  "maturity/list_checks": { takes: { loop: string; limit?: number; before?: number }; gives: ManualCheck[] };
  "members/list": { takes: { project?: string }; gives: Member[] };
  "model_cards/card": { takes: { ref: string }; gives: string };
  "model_cards/get": { takes: { ref: string }; gives: ModelCard };
  "model_cards/list_sections": { takes: { ref: string }; gives: OwnSection[] };
  "model_versions/get": { takes: { model: string; version: number }; gives: ModelVersion };
  "model_versions/search": { takes: { filter?: string; order_by?: string[] | null; limit?: number; page_token?: string; native?: boolean }; gives: VersionPage };
  "monitoring/get_window": { takes: { deployment: string; start: string }; gives: MonitoringWindow };
  "monitoring/ground_truth": { takes: { deployment: string; ids: string[] }; gives: GroundTruth[] };
  "monitoring/ground_truth_count": { takes: { deployment: string }; gives: number };
  "monitoring/list_profiles": { takes: { deployment: string; limit?: number; before?: string }; gives: Profile[] };
  "monitoring/list_windows": { takes: { deployment: string; limit?: number; before?: string }; gives: MonitoringWindow[] };
  "monitoring/revision_count": { takes: { deployment: string }; gives: number };
  "monitoring/truth_of": { takes: { deployment: string; ids: string[] }; gives: Record<string, unknown> };
  "policies/check_version": { takes: { ref: string; deployment?: string }; gives: PolicyFinding[] };
  "policies/list": { takes: Record<string, never>; gives: GovernancePolicySpec[] };
  "privacy/models_of": { takes: { dataset: string }; gives: string[] };
  "privacy/origin": { takes: { ref: string }; gives: PersonalOrigin };
  "projects/get": { takes: { name: string }; gives: Project };
  "projects/list": { takes: { state?: string }; gives: Project[] };
  "projects/list_stores": { takes: Record<string, never>; gives: Store[] };
  "projects/search": { takes: { words: string; limit?: number }; gives: Found[] };
  "quality/get_profile": { takes: { dataset: string; snapshot: string }; gives: TableProfile };
  "quality/get_profiles": { takes: { dataset: string; snapshots: string[] }; gives: TableProfile[] };
  "quality/list_reports": { takes: { dataset: string; limit?: number; before?: number }; gives: QualityReport[] };
  "quality/pending_forgettings": { takes: { dataset: string }; gives: Forgetting[] };
  "quality/pii_classes": { takes: { dataset: string }; gives: PiiClasses };
  "reasons/log": { takes: { run: string; step: string; tail?: number }; gives: string };
  "reasons/why": { takes: { run: string; step?: string }; gives: StepReason[] };
  "registered_models/get": { takes: { name: string }; gives: RegisteredModel };
  "registered_models/latest_versions": { takes: { names: string[] }; gives: Record<string, ModelVersion[]> };
  "registered_models/search": { takes: { filter?: string; order_by?: string[] | null; limit?: number; page_token?: string; native?: boolean }; gives: ModelPage };
  "registry/alias_history": { takes: { model: string; alias?: string; limit?: number; before?: number }; gives: AliasChange[] };
  "registry/find_by_run": { takes: { run: string }; gives: ModelVersion[] };
  "registry/get_version": { takes: { ref: string }; gives: ModelVersion };
  "registry/list_models": { takes: { limit?: number; after?: string }; gives: RegisteredModel[] };
  "registry/list_versions": { takes: { model: string; limit?: number; before?: number }; gives: ModelVersion[] };
  "rows/of_file": { takes: { digest: string; name: string; offset?: number; limit?: number; order_by?: string; column?: string; contains?: string }; gives: RowPage };
  "rows/of_snapshot": { takes: { dataset: string; snapshot?: string; offset?: number; limit?: number; order_by?: string; column?: string; contains?: string }; gives: RowPage };
  "run_inputs/get": { takes: { runs: string[] }; gives: InputsOfRun[] };
  "run_inputs/list_datasets": { takes: { experiments: string[]; limit?: number }; gives: DatasetSummary[] };
  "run_search/columns": { takes: { experiments?: string[] | null; deleted?: "active" | "all" | "deleted" }; gives: RunColumns };
  "run_search/compare": { takes: { runs: string[] }; gives: RunComparison };
  "run_search/group": { takes: { by: string[]; aggregate?: string[] | null; filter?: string; experiments?: string[] | null; limit?: number; deleted?: "active" | "all" | "deleted" }; gives: RunGroups };
  "run_search/leaderboard": { takes: { experiment: string; metric: string; direction?: "auto" | "max" | "min"; limit?: number; filter?: string }; gives: Leaderboard };
  "run_search/pivot": { takes: { rows: string[]; columns: string; value?: string; filter?: string; experiments?: string[] | null; deleted?: "active" | "all" | "deleted" }; gives: Pivot };
  "run_search/search": { takes: { filter?: string; experiments?: string[] | null; order_by?: string[] | null; limit?: number; page_token?: string; deleted?: "active" | "all" | "deleted"; native?: boolean; total?: boolean }; gives: RunPage };
  "run_search/search_experiments": { takes: { filter?: string; order_by?: string[] | null; limit?: number; page_token?: string; deleted?: "active" | "all" | "deleted"; native?: boolean }; gives: ExperimentPage };
  "saved_views/get": { takes: { name: string; kind?: "experiments" | "runs" }; gives: SavedView };
  "saved_views/list": { takes: { kind?: "experiments" | "runs"; limit?: number; after?: string }; gives: SavedView[] };
  "sboms/make": { takes: { ref: string }; gives: Record<string, unknown> };
  "scorers/get": { takes: { experiment: string; name: string; version?: number | null }; gives: Scorer };
  "scorers/list": { takes: { experiments: string[] }; gives: Scorer[] };
  "scorers/versions": { takes: { experiment: string; name: string }; gives: Scorer[] };
  "secrets/list": { takes: Record<string, never>; gives: SecretInfo[] };
  "signatures/list": { takes: { ref: string }; gives: VersionSignature[] };
  "simulations/schedule": { takes: { loop?: string; count?: number }; gives: Planned[] };
  "simulations/search": { takes: { name: string; cooldowns?: string[] | null; metric?: string }; gives: LoopsCandidate[] };
  "simulations/simulate": { takes: { name: string; on?: string[] | null; cooldown?: string; max_trainings_per_week?: number; metric?: string }; gives: Simulation };
  "simulations/story": { takes: { name: string; limit?: number }; gives: Sentence[] };
  "step_cache/latest": { takes: { pipeline: string; step: string }; gives: CachedStep | null };
  "step_cache/latest_of": { takes: { pipeline: string }; gives: CachedStep[] };
  "step_cache/list": { takes: { limit?: number; after?: string }; gives: CachedStep[] };
  "step_cache/lookup": { takes: { key: string }; gives: CachedStep | null };
  "studies/best": { takes: { study: string }; gives: Trial[] };
  "studies/get": { takes: { name: string }; gives: Study };
  "studies/list": { takes: { limit?: number; after?: string }; gives: Study[] };
  "studies/trials": { takes: { study: string; limit?: number; after?: number }; gives: Trial[] };
  "tokens/list": { takes: { account?: string; all?: boolean; past?: boolean; limit?: number }; gives: Token[] };
  "traces/correlate": { takes: { first: string; second: string; filter?: string; experiments?: string[] | null; native?: boolean }; gives: TrackingCorrelation };
  "traces/count": { takes: { filter?: string; experiments?: string[] | null }; gives: number };
  "traces/get": { takes: { trace: string }; gives: Trace };
  "traces/get_many": { takes: { traces: string[]; spans?: boolean; experiments?: string[] | null }; gives: Trace[] };
  "traces/search": { takes: { filter?: string; experiments?: string[] | null; order_by?: string[] | null; limit?: number; page_token?: string; native?: boolean }; gives: TracePage };
  "traces/sessions": { takes: { experiment: string; limit?: number; before?: string | null }; gives: Session[] };
  "tracking/chart": { takes: { runs: string[]; key: string; buckets?: number; axis?: "relative" | "step" | "time"; first?: number | null; last?: number | null }; gives: Curve[] };
  "tracking/get_run": { takes: { run: string }; gives: Run };
  "tracking/get_runs": { takes: { ids: string[] }; gives: Run[] };
  "tracking/list_artifacts": { takes: { run: string; limit?: number; after?: string; prefix?: string }; gives: TrackingArtifact[] };
  "tracking/list_experiments": { takes: { limit?: number; after?: string }; gives: Experiment[] };
  "tracking/list_live": { takes: { kind: string; seconds?: number }; gives: string[] };
  "tracking/list_runs": { takes: { experiment?: string; kind?: string; state?: string; parent?: string; limit?: number; before?: string }; gives: Run[] };
  "tracking/metric_histories": { takes: { runs: string[]; keys: string[]; limit?: number }; gives: Curve[] };
  "tracking/metric_history": { takes: { run: string; key: string; limit?: number; after_step?: number | null; page_token?: string }; gives: MetricPoint[] };
  "trusted_keys/list": { takes: Record<string, never>; gives: TrustedKey[] };
  "webhooks/deliveries": { takes: { id: string; limit?: number }; gives: WebhookDelivery[] };
  "webhooks/get": { takes: { id: string }; gives: Webhook };
  "webhooks/list": { takes: { limit?: number; after?: string }; gives: Webhook[] };
}

// Asked with POST.
export interface Posts {
  "accounts/create": { takes: { name: string; kind?: "service" | "user"; full_name?: string; email?: string; password?: string; admin?: boolean; auditor?: boolean; role?: "contributor" | "maintainer" | "none" | "owner" | "viewer"; project?: string }; gives: Account };
  "accounts/delete": { takes: { name: string }; gives: null };
  "accounts/set_password": { takes: { name: string; password: string; current?: string }; gives: null };
  "accounts/update": { takes: { name: string; full_name?: string | null; email?: string | null; admin?: boolean | null; auditor?: boolean | null; disabled?: boolean | null }; gives: Account };
  "alerts/acknowledge": { takes: { id: string; by?: string }; gives: Alert };
  "alerts/assign": { takes: { id: string; to: string; by?: string }; gives: Alert };
  "alerts/end_silence": { takes: { id: string }; gives: null };
  "alerts/open": { takes: { severity: "critical" | "info" | "warning"; kind: string; subject: string; cause: string; title: string; detail?: string; facts?: Record<string, unknown> | null }; gives: Alert };
  "alerts/resolve": { takes: { id: string; reason?: string }; gives: Alert };
  "alerts/silence": { takes: { until: string; subject?: string; cause?: string; reason?: string; by?: string }; gives: Silence };
  "approvals/approve": { takes: { ref: string; by: string; reason?: string }; gives: Approval };
  "approvals/reject": { takes: { ref: string; by: string; reason: string }; gives: Approval };
  "approvals/request": { takes: { ref: string; by: string; approvers?: string[]; needed?: number; four_eyes?: boolean; note?: string }; gives: Approval };
  "approvals/withdraw": { takes: { ref: string; by: string }; gives: Approval };
  "assessments/create": { takes: { trace: string; name: string; value?: unknown; kind?: "expectation" | "feedback" | "issue"; source?: string; source_type?: string; rationale?: string | null; metadata?: Record<string, string> | null; error?: Record<string, string> | null; span?: string; run?: string; overrides?: string; created?: string | null; id?: string }; gives: Assessment };
  "assessments/delete": { takes: { trace: string; assessment: string }; gives: null };
  "assessments/update": { takes: { trace: string; assessment: string; name?: string | null; value?: unknown; error?: Record<string, string> | null; rationale?: string | null; metadata?: Record<string, string> | null; kind?: "expectation" | "feedback" | "issue" | null; keep_value?: boolean }; gives: Assessment };
  "automl/assign": { takes: { name: string; job: string }; gives: Search };
  "automl/beat": { takes: { name: string; holder: string; spent: number }; gives: boolean };
  "automl/begin": { takes: { name: string; holder: string }; gives: Search };
  "automl/cancel": { takes: { name: string }; gives: Search };
  "automl/delete": { takes: { name: string }; gives: null };
  "automl/describe": { takes: { name: string; holder: string; task: "classification" | "forecasting" | "regression"; metric: string; direction: "maximize" | "minimize"; snapshot: string; rows: number; held: number; columns: number; notes: string[] }; gives: Search };
  "automl/finish": { takes: { name: string; holder: string; spent: number; result?: Result | null; error?: string }; gives: Search };
  "automl/give_up": { takes: { name: string; error: string }; gives: Search };
  "automl/put_candidate": { takes: { candidate: Model_SearchCandidate; holder: string }; gives: Model_SearchCandidate };
  "automl/start": { takes: { name: string; wanted: Wanted; place?: "here" | "worker" }; gives: Search };
  "catalog/describe": { takes: { ref: string; description?: string | null; licence?: string | null; pii?: string | null; fresh_within?: string | null; links?: Record<string, string> | null; columns?: Record<string, string> | null; column_pii?: Record<string, string> | null }; gives: CatalogEntry };
  "catalog/grant_access": { takes: { access: string; by?: string; note?: string; until?: string }; gives: Access };
  "catalog/own": { takes: { ref: string; owner: string }; gives: CatalogEntry };
  "catalog/rebuild": { takes: Record<string, never>; gives: number };
  "catalog/refuse_access": { takes: { access: string; by?: string; note?: string }; gives: Access };
  "catalog/request_access": { takes: { ref: string; who: string; role?: string; reason?: string }; gives: Access };
  "catalog/tag": { takes: { ref: string; tags: Record<string, string> }; gives: CatalogEntry };
  "catalog/untag": { takes: { ref: string; keys: string[] }; gives: CatalogEntry };
  "clock/set": { takes: { moment: string }; gives: string };
  "comments/add": { takes: { ref: string; text: string; by: string; reply_to?: string }; gives: Comment };
  "comments/delete": { takes: { comment: string; by: string }; gives: null };
  "comments/edit": { takes: { comment: string; text: string; by: string }; gives: Comment };
  "cost/record": { takes: { run: string; pipeline: string; usage: StepUsage[] }; gives: number };
  "cost/remove_budget": { takes: { name: string }; gives: null };
  "cost/sample_storage": { takes: Record<string, never>; gives: number };
  "cost/set_budget": { takes: { budget: Budget }; gives: Budget };
  "cost/set_prices": { takes: { prices: Prices }; gives: Prices };
  "data/declare": { takes: { dataset: Dataset }; gives: Dataset };
  "data/record_snapshot": { takes: { snapshot: Snapshot; branch?: string }; gives: Snapshot };
  "data/tell_of_source": { takes: { name: string; id: string }; gives: null };
  "data_versions/create_branch": { takes: { dataset: string; name: string; version?: string }; gives: DataRef };
  "data_versions/create_tag": { takes: { dataset: string; name: string; version?: string }; gives: DataRef };
  "data_versions/delete_dataset": { takes: { name: string; force?: boolean }; gives: null };
  "data_versions/delete_ref": { takes: { dataset: string; name: string }; gives: null };
  "data_versions/delete_snapshot": { takes: { dataset: string; version: string; force?: boolean }; gives: Snapshot };
  "data_versions/move_ref": { takes: { dataset: string; name: string; version: string; expected?: string }; gives: DataRef };
  "data_versions/replace_snapshot": { takes: { dataset: string; version: string; replacement: Snapshot; reason: string }; gives: Snapshot };
  "data_versions/roll_back": { takes: { dataset: string; version: string; branch?: string; reason?: string }; gives: Snapshot };
  "data_versions/set_layout": { takes: { dataset: string; version: string; layout: string }; gives: Snapshot };
  "deployments/abort": { takes: { name: string; reason?: string; evidence?: Record<string, unknown> | null }; gives: Rollout };
  "deployments/advance": { takes: { name: string; step: number; evidence?: Record<string, unknown> | null }; gives: Rollout };
  "deployments/deploy": { takes: { name: string; model: string; version: number; reason?: string; sticky_key?: string }; gives: Deployment };
  "deployments/pause": { takes: { name: string; reason?: string }; gives: Rollout };
  "deployments/promote": { takes: { name: string; reason?: string }; gives: Rollout };
  "deployments/remove": { takes: { name: string }; gives: null };
  "deployments/resume": { takes: { name: string }; gives: Rollout };
  "deployments/roll_back": { takes: { name: string; reason?: string; version?: number }; gives: Deployment };
  "deployments/set_logging": { takes: { name: string; sample?: number; inputs?: boolean; mask?: Record<string, "drop" | "hash" | "text"> | null }; gives: Deployment };
  "deployments/start_rollout": { takes: { name: string; version: number; spec: RolloutSpec; reason?: string }; gives: Rollout };
  "errands/back_fill": { takes: { pipeline: string; start: string; end: string; every?: string; params?: Record<string, unknown> | null; again?: boolean; like?: string }; gives: Errand };
  "errands/cancel": { takes: { errand: string }; gives: Errand };
  "errands/clean": { takes: { dataset: string; snapshot?: string }; gives: Errand };
  "errands/pause": { takes: { errand: string }; gives: Errand };
  "errands/profile": { takes: { dataset: string; snapshot?: string }; gives: Errand };
  "errands/resume": { takes: { errand: string }; gives: Errand };
  "errands/run": { takes: { pipeline: string; params?: Record<string, unknown> | null; only?: string[] | null; again_from?: string[] | null; use_cache?: boolean; like?: string }; gives: Errand };
  "evaluation_sets/add_to_experiments": { takes: { set: string; experiments: string[] }; gives: EvaluationSet };
  "evaluation_sets/create": { takes: { name: string; experiments?: string[] | null; tags?: Record<string, string> | null; id?: string }; gives: EvaluationSet };
  "evaluation_sets/delete": { takes: { set: string }; gives: null };
  "evaluation_sets/delete_records": { takes: { set: string; records: string[] }; gives: number };
  "evaluation_sets/delete_tag": { takes: { set: string; key: string }; gives: null };
  "evaluation_sets/merge_records": { takes: { set: string; records: NewRecord[] }; gives: Merged };
  "evaluation_sets/remove_from_experiments": { takes: { set: string; experiments: string[] }; gives: EvaluationSet };
  "evaluation_sets/set_tags": { takes: { set: string; tags: Record<string, string> }; gives: null };
  "experiments/create": { takes: { name: string; tags?: Record<string, string> | null; location?: string }; gives: Experiment };
  "experiments/delete": { takes: { experiment: string }; gives: null };
  "experiments/delete_tag": { takes: { experiment: string; key: string }; gives: boolean };
  "experiments/rename": { takes: { experiment: string; name: string }; gives: Experiment };
  "experiments/restore": { takes: { experiment: string }; gives: Experiment };
  "experiments/set_tags": { takes: { experiment: string; tags: Record<string, string> }; gives: null };
  "external/forget": { takes: { ref: string }; gives: null };
  "external/record": { takes: { event: SeenEvent }; gives: Recorded };
  "features/declare": { takes: { view: FeatureView }; gives: FeatureView };
  "features/declare_set": { takes: { plan: FeaturePlan }; gives: FeaturePlan };
  "features/delete": { takes: { name: string }; gives: null };
  "features/record_materialization": { takes: { done: Materialization }; gives: null };
  "features/record_push": { takes: { name: string; digest: string; rows: number }; gives: Push };
  "features/record_use": { takes: { run: string; plan: FeaturePlan }; gives: null };
  "features/rewrite_push": { takes: { name: string; push: number; digest: string; rows: number; reason: string }; gives: null };
  "features/set_schema": { takes: { name: string; version: number; schema: Schema }; gives: null };
  "features_online/delete": { takes: { view: string; entities: Record<string, unknown>[] }; gives: number };
  "features_online/forget": { takes: { view: string }; gives: null };
  "features_online/get": { takes: { features: string[]; entities: Record<string, unknown>[]; at?: string }; gives: OnlineAnswer };
  "features_online/load": { takes: { view: string; rows: Record<string, unknown>[] }; gives: PushReport };
  "features_online/push": { takes: { view: string; rows: Record<string, unknown>[] }; gives: PushReport };
  "files/delete": { takes: { folder: string; prefix?: string }; gives: number };
  "files/put": { takes: { folder: string; name: string; digest: string; size: number }; gives: File };
  "groups/add": { takes: { name: string; account: string }; gives: Group };
  "groups/create": { takes: { name: string; description?: string }; gives: Group };
  "groups/delete": { takes: { name: string }; gives: null };
  "groups/remove": { takes: { name: string; account: string }; gives: Group };
  "images/record": { takes: { image: Image }; gives: BuiltImage };
  "images/record_push": { takes: { digest: string; reference: string }; gives: BuiltImage | null };
  "labels/add_items": { takes: { name: string; items: NewItem[] }; gives: number };
  "labels/add_labels": { takes: { name: string; labels: NewLabel[] }; gives: number };
  "labels/ask_more": { takes: { name: string; keys: string[]; needed: number }; gives: number };
  "labels/declare": { takes: { label_set: LabelSet }; gives: LabelSet };
  "labels/label": { takes: { name: string; item: string; value: unknown; annotator: string; confidence?: number | null; source?: string }; gives: Label };
  "labels/next": { takes: { name: string; annotator: string; count?: number }; gives: Item[] };
  "labels/remove": { takes: { name: string }; gives: null };
  "labels/remove_items": { takes: { name: string; keys: string[]; reason: string }; gives: number };
  "labels/set_priorities": { takes: { name: string; keys: string[]; priorities: number[] }; gives: number };
  "labels/set_secret": { takes: { name: string; secret: string }; gives: null };
  "labels/skip": { takes: { name: string; item: string; annotator: string }; gives: null };
  "labels/undo": { takes: { name: string; annotator: string }; gives: Item | null };
  "lifecycle/deprecate": { takes: { ref: string; reason: string; by?: string; until?: string | null; instead?: string }; gives: Deprecation };
  "lifecycle/replace_holdout": { takes: { ref: string; holdout: string; reason: string; by?: string }; gives: null };
  "lifecycle/restore": { takes: { ref: string; by?: string; reason?: string }; gives: ModelVersion };
  "lifecycle/retire": { takes: { ref: string; reason?: string; by?: string; keep_files?: boolean }; gives: Retirement };
  "lifecycle/rollback": { takes: { model: string; reason?: string; by?: string }; gives: Rollback };
  "lifecycle/undeprecate": { takes: { ref: string; by?: string; reason?: string }; gives: null };
  "lineage/link": { takes: { source: string; target: string; relation: string }; gives: null };
  "logged_models/create": { takes: { experiment: string; name: string; kind?: string; run?: string; params?: Record<string, string> | null; tags?: Record<string, string> | null; id?: string }; gives: LoggedModel };
  "logged_models/delete": { takes: { model: string }; gives: null };
  "logged_models/delete_tag": { takes: { model: string; key: string }; gives: null };
  "logged_models/finalize": { takes: { model: string; status?: "failed" | "pending" | "ready" | "unspecified" }; gives: LoggedModel };
  "logged_models/log_metrics": { takes: { metrics: Record<string, ModelMetric[]> }; gives: null };
  "logged_models/log_params": { takes: { model: string; params: Record<string, string> }; gives: null };
  "logged_models/search": { takes: { filter?: string; experiments?: string[] | null; datasets?: DatasetChoice[] | null; order_by?: ModelOrder[] | null; limit?: number; page_token?: string }; gives: LoggedModelPage };
  "logged_models/set_tags": { takes: { model: string; tags: Record<string, string> }; gives: null };
  "loops/apply": { takes: { loop: Loop }; gives: Loop };
  "loops/pause": { takes: { name: string; reason?: string }; gives: Loop };
  "loops/remove": { takes: { name: string }; gives: null };
  "loops/resume": { takes: { name: string }; gives: Loop };
  "loops/signal": { takes: { name: string; id: string; source?: string; reason?: string }; gives: null };
  "loops/trigger": { takes: { name: string; reason?: string }; gives: Training };
  "maturity/record_check": { takes: { loop: string; test: string; evidence: string }; gives: ManualCheck };
  "members/remove": { takes: { name: string; kind?: "account" | "group"; project?: string }; gives: null };
  "members/set": { takes: { name: string; role: "contributor" | "maintainer" | "none" | "owner" | "viewer"; kind?: "account" | "group"; project?: string }; gives: Member };
  "model_cards/delete_section": { takes: { ref: string; heading: string; by: string }; gives: null };
  "model_cards/write_section": { takes: { ref: string; heading: string; text: string; by: string }; gives: OwnSection };
  "model_versions/create": { takes: { model: string; source?: string; package?: ModelPackage | null; run?: string; logged_model?: string; description?: string; tags?: Record<string, string> | null; run_link?: string; user?: string }; gives: ModelVersion };
  "model_versions/delete": { takes: { model: string; version: number }; gives: null };
  "model_versions/delete_tag": { takes: { model: string; version: number; key: string }; gives: null };
  "model_versions/set_mlflow_stage": { takes: { model: string; version: number; stage: string; archive_others?: boolean }; gives: ModelVersion };
  "model_versions/set_tag": { takes: { model: string; version: number; key: string; value: string }; gives: null };
  "monitoring/add_ground_truth": { takes: { deployment: string; ids: string[]; values: unknown[]; known_at?: string }; gives: number };
  "monitoring/record_window": { takes: { window: MonitoringWindow }; gives: MonitoringWindow };
  "policies/apply": { takes: { policies: GovernancePolicySpec[] }; gives: PolicyChange[] };
  "policies/check_loop": { takes: { loop: string; gates: string[]; policies?: GovernancePolicySpec[] | null }; gives: PolicyFinding[] };
  "policies/plan": { takes: { policies: GovernancePolicySpec[] }; gives: PolicyChange[] };
  "privacy/retain": { takes: { dry_run?: boolean }; gives: RetentionReport };
  "projects/add_store": { takes: { name: string; database?: string; objects?: string; s3_endpoint?: string; s3_region?: string; residency?: string }; gives: Store };
  "projects/archive": { takes: { name: string }; gives: Project };
  "projects/create": { takes: { name: string; title?: string; description?: string; owner?: string; store?: string; residency?: string; most_bytes?: number | null }; gives: Project };
  "projects/delete": { takes: { name: string; confirm: string; grace_days?: number }; gives: Project };
  "projects/purge": { takes: Record<string, never>; gives: string[] };
  "projects/remove_store": { takes: { name: string }; gives: null };
  "projects/restore": { takes: { name: string }; gives: Project };
  "projects/unarchive": { takes: { name: string }; gives: Project };
  "projects/update": { takes: { name: string; title?: string | null; description?: string | null; residency?: string | null; most_bytes?: number | null }; gives: Project };
  "quality/begin_forgetting": { takes: { forgetting: Forgetting }; gives: Forgetting };
  "quality/declare_pii": { takes: { dataset: string; column: string; kind: string }; gives: PiiClasses };
  "quality/end_forgetting": { takes: { dataset: string; counts: Record<string, number>; models: string[] }; gives: number };
  "quality/keep_profile": { takes: { dataset: string; snapshot: string; profile: string }; gives: string };
  "quality/record_report": { takes: { dataset: string; snapshot: string; report: ValidationReport }; gives: QualityReport };
  "quality/record_reveal": { takes: { dataset: string; snapshot: string; columns: string[]; rows: number }; gives: number };
  "registered_models/create": { takes: { name: string; description?: string; tags?: Record<string, string> | null }; gives: RegisteredModel };
  "registered_models/delete": { takes: { name: string }; gives: null };
  "registered_models/delete_tag": { takes: { name: string; key: string }; gives: null };
  "registered_models/rename": { takes: { name: string; new_name: string }; gives: RegisteredModel };
  "registered_models/set_tag": { takes: { name: string; key: string; value: string }; gives: null };
  "registered_models/update": { takes: { name: string; description: string }; gives: RegisteredModel };
  "registry/delete_alias": { takes: { model: string; alias: string; reason?: string }; gives: null };
  "registry/delete_version": { takes: { model: string; version: number }; gives: null };
  "registry/promote": { takes: { model: string; version: number; reason?: string }; gives: ModelVersion };
  "registry/record_verdict": { takes: { model: string; version: number; verdict: Verdict }; gives: ModelVersion };
  "registry/register": { takes: { model: string; package: ModelPackage; run?: string; evaluation?: Evaluation | null; holdout?: string; label?: string; slices?: string[]; reference?: string; snapshots?: string[]; code?: string; params?: Record<string, unknown> | null; description?: string; tags?: Record<string, string> | null; voucher?: string }; gives: ModelVersion };
  "registry/set_alias": { takes: { model: string; alias: string; version: number; expected?: number | null; reason?: string }; gives: ModelVersion };
  "registry/set_stage": { takes: { model: string; version: number; stage: "archived" | "candidate" | "challenger" | "champion" | "retired"; reason?: string }; gives: ModelVersion };
  "registry/update": { takes: { model: string; version: number; description?: string | null; tags?: Record<string, string> | null }; gives: ModelVersion };
  "run_inputs/log_inputs": { takes: { run: string; datasets?: LoggedDataset[] | null; models?: string[] | null }; gives: null };
  "run_inputs/log_outputs": { takes: { run: string; models: ModelOutput[] }; gives: null };
  "saved_views/delete": { takes: { name: string; kind?: "experiments" | "runs" }; gives: null };
  "saved_views/save": { takes: { name: string; filter?: string; order_by?: string[] | null; columns?: string[] | null; kind?: "experiments" | "runs"; experiments?: string[] | null }; gives: SavedView };
  "scorers/delete": { takes: { experiment: string; name: string; version?: number | null }; gives: null };
  "scorers/register": { takes: { experiment: string; name: string; definition: string }; gives: Scorer };
  "secrets/delete": { takes: { name: string }; gives: null };
  "secrets/rotate_key": { takes: Record<string, never>; gives: number };
  "secrets/set": { takes: { name: string; value: string }; gives: SecretInfo };
  "signatures/record": { takes: { ref: string; signature: string; described: string; public_key: string; by?: string }; gives: VersionSignature };
  "step_cache/claim": { takes: { key: string; run: string }; gives: boolean };
  "step_cache/forget": { takes: { step?: string; pipeline?: string; key?: string }; gives: number };
  "step_cache/record": { takes: { steps: CachedStep[] }; gives: null };
  "step_cache/release": { takes: { key: string; run: string }; gives: null };
  "studies/begin_trial": { takes: { study: string; params: Record<string, unknown>; run?: string }; gives: Trial };
  "studies/declare": { takes: { study: Study }; gives: Study };
  "studies/delete": { takes: { name: string }; gives: null };
  "studies/end_trial": { takes: { study: string; number: number; state: "failed" | "finished" | "pruned" | "running"; values?: number[] | null; error?: string }; gives: Trial };
  "studies/report": { takes: { study: string; number: number; reports: Report[] }; gives: null };
  "tokens/create": { takes: { name: string; account?: string; scope?: "read" | "write"; role?: "contributor" | "maintainer" | "none" | "owner" | "viewer"; project?: string; days?: number }; gives: NewToken };
  "tokens/create_for_run": { takes: { run: string }; gives: NewToken };
  "tokens/revoke": { takes: { id: string }; gives: Token };
  "traces/delete": { takes: { experiment?: string; traces?: string[] | null; before?: string | null; most?: number | null }; gives: number };
  "traces/delete_tag": { takes: { trace: string; key: string }; gives: null };
  "traces/end": { takes: { trace: string; state?: "error" | "in_progress" | "ok" | "unspecified"; ended?: string | null; tags?: Record<string, string> | null; metadata?: Record<string, string> | null; name?: string | null; session?: string | null; tokens?: Record<string, number> | null; cost?: Record<string, number> | null }; gives: Trace };
  "traces/link_prompts": { takes: { trace: string; prompts: string[] }; gives: null };
  "traces/link_to_run": { takes: { traces: string[]; run: string }; gives: null };
  "traces/record": { takes: { trace: Trace }; gives: Trace };
  "traces/record_spans": { takes: { experiment: string; spans: Span[]; tags?: Record<string, string> | null; run?: string; make?: boolean }; gives: string[] };
  "traces/rename": { takes: { trace: string; name: string }; gives: null };
  "traces/set_tags": { takes: { trace: string; tags: Record<string, string> }; gives: null };
  "traces/start": { takes: { experiment: string; started?: string | null; name?: string; tags?: Record<string, string> | null; metadata?: Record<string, string> | null; id?: string }; gives: Trace };
  "tracking/append": { takes: { run: string; series: Series[] }; gives: null };
  "tracking/create_run": { takes: { experiment: string; name?: string; kind?: string; parent?: string; params?: Record<string, string | number | boolean | null> | null; tags?: Record<string, string> | null; code?: string; environment?: Record<string, string> | null; id?: string; started?: string | null; user?: string; heartbeats?: boolean }; gives: Run };
  "tracking/delete_artifacts": { takes: { run: string; prefix: string }; gives: number };
  "tracking/delete_run": { takes: { run: string }; gives: null };
  "tracking/delete_tag": { takes: { run: string; key: string }; gives: boolean };
  "tracking/finish_run": { takes: { run: string; state?: "cancelled" | "failed" | "finished"; error?: string; ended?: string | null }; gives: Run };
  "tracking/heartbeat": { takes: { run: string }; gives: "cancelled" | "failed" | "finished" | "lost" | "running" | "scheduled" };
  "tracking/log": { takes: { run: string; params?: Record<string, string | number | boolean | null> | null; metrics?: MetricPoint[] | null; tags?: Record<string, string> | null }; gives: null };
  "tracking/log_artifact": { takes: { run: string; name: string; digest: string; size: number; kind?: string }; gives: TrackingArtifact };
  "tracking/log_artifacts": { takes: { run: string; artifacts: NewArtifact[] }; gives: null };
  "tracking/mark_lost": { takes: { older_than_seconds: number }; gives: string[] };
  "tracking/record_runs": { takes: { runs: RunRecord[] }; gives: null };
  "tracking/restore_run": { takes: { run: string }; gives: Run };
  "tracking/update_run": { takes: { run: string; name?: string | null; notes?: string | null; state?: "cancelled" | "failed" | "finished" | "lost" | "running" | "scheduled" | null; ended?: string | null; user?: string | null }; gives: Run };
  "trash/bulk_delete": { takes: { runs?: string[] | null; filter?: string; experiments?: string[] | null }; gives: BulkChange };
  "trash/bulk_restore": { takes: { runs?: string[] | null; filter?: string; experiments?: string[] | null }; gives: BulkChange };
  "trash/bulk_tag": { takes: { tags: Record<string, string>; runs?: string[] | null; filter?: string; experiments?: string[] | null }; gives: BulkChange };
  "trash/gc": { takes: { older_than_days?: number; dry_run?: boolean; grace_days?: number }; gives: GcReport };
  "trusted_keys/distrust": { takes: { key: string }; gives: null };
  "trusted_keys/trust": { takes: { public_key: string; name?: string }; gives: TrustedKey };
  "webhooks/create": { takes: { name: string; url: string; events: string[]; description?: string; secret?: string; active?: boolean }; gives: Webhook };
  "webhooks/delete": { takes: { id: string }; gives: null };
  "webhooks/test": { takes: { id: string; event?: string }; gives: WebhookTest };
  "webhooks/update": { takes: { id: string; name?: string | null; url?: string | null; events?: string[] | null; description?: string | null; secret?: string | null; active?: boolean | null }; gives: Webhook };
}
