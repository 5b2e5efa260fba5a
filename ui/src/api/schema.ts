// Made by tools/ui_types.py from the server's OpenAPI document: `npm run types` writes it again.
import type { Operation } from "@/api/operation";
import type { Figure } from "@/base/format";

export interface Alert {
  alert_id: number;
  endpoint: string;
  statistic: string;
  raised_time: number;
  reason: string;
  model?: string;
  version?: string;
  column?: string;
  value?: Figure;
  limit?: Figure | null;
  cleared_time?: number | null;
  cleared_reason?: string | null;
}

export interface AlertAction {
  kind: string;
  key?: string;
  value?: string;
}

export interface AlertChange {
  statistic: string;
  reason: string;
  column?: string;
  value?: Figure;
  limit?: Figure | null;
}

export interface AlertPage {
  alerts?: Alert[];
  next_page_token?: string | null;
}

export interface Arrangement {
  metrics?: PinnedMetric[];
  runs?: string[];
  colours?: RunColour[];
  default_view_id?: string | null;
}

export interface ArtifactListing {
  root_uri: string;
  files?: FileInfo[];
  next_page_token?: string | null;
}

export interface ArtifactPin {
  kept_because?: string | null;
}

export interface BestRun {
  metric: string;
  goal: string;
  value: Figure;
  run_id: string;
  pinned?: boolean;
}

export interface Canary {
  version: string;
  steps: CanaryStep[];
  max_error_rate: Figure;
  min_requests: number;
  state: string;
  step: number;
  since: number;
  max_seconds?: Figure | null;
  reason?: string | null;
}

export interface CanaryStep {
  percent: Figure;
  seconds: Figure;
}

export interface ChangePage {
  seq: number;
  reset?: boolean;
  changes?: Changed[];
}

export interface Changed {
  kind: string;
  id: string;
  experiment_id?: string | null;
}

export interface ChangedRuns {
  run_ids?: string[];
  next_page_token?: string | null;
}

export interface Claimed {
  claimed?: boolean;
}

export interface Comment {
  id: string;
  user_id: string;
  comment: string;
  creation_timestamp: number;
  last_updated_timestamp: number;
  name?: string;
  version?: string;
  available_actions?: string[];
}

export interface CommentAnswer {
  comment: Comment;
}

export interface CommentPage {
  comments?: Comment[];
  next_page_token?: string | null;
}

export interface Curve {
  run_id: string;
  metric: string;
  points: number;
  exact: boolean;
  x: Figure[];
  min: unknown[];
  max: unknown[];
  last: unknown[];
}

export interface Curves {
  curves?: Curve[];
  x0?: Figure | null;
  x1?: Figure | null;
}

export interface Dataset {
  name: string;
  digest: string;
  source_type: string;
  source: string;
  schema?: string | null;
  profile?: string | null;
}

export interface DatasetFilter {
  dataset_name: string;
  dataset_digest?: string | null;
}

export interface DatasetInput {
  dataset: Dataset;
  tags?: InputTag[];
}

export interface DatasetSummaries {
  dataset_summaries?: DatasetSummary[];
}

export interface DatasetSummary {
  experiment_id: string;
  name: string;
  digest: string;
  context?: string | null;
}

export interface Deleted {
  deleted: number;
}

export interface Discarded {
  kind: string;
  id: string;
  name: string;
  deleted_time: number;
  experiment_id: string;
  experiment_name: string;
  runs?: number;
}

export interface Distribution {
  matched: number;
  present: number;
  low?: Figure | null;
  high?: Figure | null;
  counts?: number[];
  not_finite?: number;
  values?: ValueCount[];
  distinct?: number;
}

export interface DownloadUri {
  artifact_uri: string;
}

export interface EndpointAnswer {
  endpoint: ServingEndpoint;
  versions?: ServedVersion[];
  hosts?: ServingHost[];
}

export interface EndpointEvent {
  sequence: number;
  kind: string;
  timestamp: number;
  user_id: string;
  version?: string | null;
  detail?: string | null;
}

export interface EndpointHistory {
  events?: EndpointEvent[];
  next_page_token?: string | null;
}

export interface EndpointLimits {
  body_bytes?: number | null;
  seconds?: Figure | null;
  requests?: number | null;
}

export interface EndpointLogs {
  logs?: ReplicaLog[];
}

export interface EndpointPage {
  endpoints?: ServingEndpoint[];
  next_page_token?: string | null;
}

export interface Error {
  error_code: "INTERNAL_ERROR" | "INVALID_STATE" | "DATA_LOSS" | "TEMPORARILY_UNAVAILABLE" | "DEADLINE_EXCEEDED" | "NOT_IMPLEMENTED" | "REQUEST_LIMIT_EXCEEDED" | "RESOURCE_EXHAUSTED" | "CANCELLED" | "ABORTED" | "RESOURCE_CONFLICT" | "ALREADY_EXISTS" | "NOT_FOUND" | "ENDPOINT_NOT_FOUND" | "RESOURCE_DOES_NOT_EXIST" | "PERMISSION_DENIED" | "UNAUTHENTICATED" | "CUSTOMER_UNAUTHORIZED" | "RESOURCE_ALREADY_EXISTS" | "INVALID_PARAMETER_VALUE" | "BAD_REQUEST";
  message: string;
  hint?: string;
  error_class?: string;
}

export interface EventName {
  entity: string;
  action: string;
  stage?: string | null;
}

export interface Experiment {
  experiment_id: string;
  name: string;
  artifact_location: string;
  lifecycle_stage: string;
  tags?: ExperimentTag[];
  creation_time?: number | null;
  last_update_time?: number | null;
}

export interface ExperimentAnswer {
  experiment: Experiment;
}

export interface ExperimentCreated {
  experiment_id: string;
}

export interface ExperimentOverview {
  total: number;
  experiments?: ExperimentSummary[];
}

export interface ExperimentPage {
  experiments?: Experiment[];
  next_page_token?: string | null;
}

export interface ExperimentSummary {
  experiment_id: string;
  name: string;
  lifecycle_stage: string;
  runs: number;
  running: number;
  last_activity: number;
  creation_time: number;
  last_update_time: number;
  owner?: string | null;
  best?: BestRun | null;
  started?: number[];
  tags?: ExperimentTag[];
}

export interface ExperimentTag {
  key: string;
  value: string;
}

export interface FileInfo {
  path: string;
  is_dir: boolean;
  file_size?: number | null;
}

export interface Finding {
  statistic: string;
  value: Figure;
  state?: string;
  column?: string;
  limit?: Figure | null;
  p_value?: Figure | null;
}

export interface FindingsPage {
  windows?: WindowFindings[];
  next_page_token?: string | null;
}

export interface FindingsRecorded {
  raised?: Alert[];
  cleared?: Alert[];
}

export interface Found {
  kind: string;
  id: string;
  name: string;
  experiment_id?: string | null;
  time?: number | null;
}

export interface FoundAnswer {
  found?: Found[];
}

export interface Garbage {
  kind: string;
  id: string;
  artifact_uri: string;
  deleted_time: number;
  experiment_id: string;
  kept_because?: string | null;
}

export interface GarbageAnswer {
  items?: Garbage[];
}

export interface Holders {
  versions?: string[];
}

export interface HttpUrlSpec {
  url?: string;
  enable_ssl_verification?: boolean | null;
  secret?: string | null;
  authorization?: string | null;
}

export interface ImportedExperiment {
  experiment: Experiment;
  deleted_time?: number | null;
}

export interface ImportedLoggedModel {
  model: LoggedModel;
  deleted_time?: number | null;
}

export interface ImportedModelVersion {
  version: ModelVersion;
  location?: string | null;
}

export interface ImportedRegisteredModel {
  model: RegisteredModel;
  versions?: ImportedModelVersion[];
  last_version?: number;
}

export interface ImportedRun {
  run: Run;
  deleted_time?: number | null;
}

export interface ImportedSeries {
  run_id: string;
  key: string;
  steps: number[];
  timestamps: number[];
  values: Figure[];
}

export interface InputTag {
  key: string;
  value: string;
}

export interface JobSpec {
  job_id?: string;
  workspace_url?: string | null;
  access_token?: string | null;
}

export interface KeyMetric {
  metric: string;
  goal: string;
  value: Figure;
  version: string;
  before?: Figure | null;
  version_before?: string | null;
}

export interface LatencyBucket {
  index: number;
  count: number;
}

export interface LoggedModel {
  info: LoggedModelInfo;
  data?: LoggedModelData;
}

export interface LoggedModelAnswer {
  model: LoggedModel;
}

export interface LoggedModelData {
  params?: LoggedModelParameter[];
  metrics?: Metric[];
}

export interface LoggedModelInfo {
  model_id: string;
  experiment_id: string;
  name: string;
  creation_timestamp_ms: number;
  last_updated_timestamp_ms: number;
  artifact_uri: string;
  status: string;
  creator_id?: number | null;
  model_type?: string | null;
  source_run_id?: string | null;
  status_message?: string | null;
  tags?: LoggedModelTag[];
}

export interface LoggedModelInput {
  model_id: string;
}

export interface LoggedModelOutput {
  model_id: string;
  step: number;
}

export interface LoggedModelPage {
  models?: LoggedModel[];
  next_page_token?: string | null;
}

export interface LoggedModelParameter {
  key: string;
  value: string;
}

export interface LoggedModelTag {
  key: string;
  value: string;
}

export interface Metric {
  key: string;
  value: Figure;
  timestamp: number;
  step: number;
  model_id?: string | null;
  dataset_name?: string | null;
  dataset_digest?: string | null;
  run_id?: string | null;
}

export interface MetricHistories {
  metrics?: MetricWithRunId[];
}

export interface MetricHistory {
  metrics?: Metric[];
  next_page_token?: string | null;
}

export interface MetricWithRunId {
  key: string;
  value: Figure;
  timestamp: number;
  step: number;
  run_id: string;
}

export interface MinuteFigures {
  endpoint: string;
  minute: number;
  host: string;
  model?: string;
  version?: string;
  requests?: number;
  errors?: number;
  refused?: number;
  rows?: number;
  seconds?: Figure;
  buckets?: LatencyBucket[];
}

export interface ModelOverview {
  total: number;
  models?: ModelSummary[];
}

export interface ModelRule {
  name: string;
  kind: string;
  stages?: string[];
  aliases?: string[];
  metric?: string | null;
  greater_is_better?: boolean;
  threshold?: Figure | null;
  min_absolute_change?: Figure | null;
  min_relative_change?: Figure | null;
  dataset?: string | null;
  approvals?: number;
  tag?: string | null;
  tag_value?: string | null;
  user_id?: string | null;
  last_updated_timestamp?: number | null;
}

export interface ModelRuleAnswer {
  rule: ModelRule;
}

export interface ModelRuleList {
  rules?: ModelRule[];
}

export interface ModelSummary {
  name: string;
  versions: number;
  creation_timestamp: number;
  last_updated_timestamp: number;
  description?: string | null;
  latest?: string | null;
  aliases?: RegisteredModelAlias[];
  tags?: RegisteredModelTag[];
  metric?: KeyMetric | null;
}

export interface ModelVersion {
  name: string;
  version: string;
  creation_timestamp: number;
  last_updated_timestamp?: number | null;
  description?: string | null;
  user_id?: string | null;
  current_stage?: string | null;
  source?: string | null;
  run_id?: string | null;
  status?: string;
  status_message?: string | null;
  tags?: ModelVersionTag[];
  run_link?: string | null;
  aliases?: string[];
  model_id?: string | null;
  params?: LoggedModelParameter[] | null;
  metrics?: Metric[] | null;
}

export interface ModelVersionAnswer {
  model_version: ModelVersion;
}

export interface ModelVersionDetails {
  name: string;
  version: string;
  creation_timestamp: number;
  last_updated_timestamp?: number | null;
  description?: string | null;
  user_id?: string | null;
  current_stage?: string | null;
  source?: string | null;
  run_id?: string | null;
  status?: string;
  status_message?: string | null;
  tags?: ModelVersionTag[];
  run_link?: string | null;
  aliases?: string[];
  model_id?: string | null;
  params?: LoggedModelParameter[] | null;
  metrics?: Metric[] | null;
  open_requests?: TransitionRequest[];
}

export interface ModelVersionDetailsAnswer {
  model_version_databricks: ModelVersionDetails;
  model_version: ModelVersionDetails;
}

export interface ModelVersionPage {
  model_versions?: ModelVersion[];
  next_page_token?: string | null;
}

export interface ModelVersionTag {
  key: string;
  value: string;
}

export interface Monitor {
  endpoint: string;
  creation_time: number;
  last_update_time: number;
  settings?: MonitorSettings;
  last_check?: number | null;
}

export interface MonitorAnswer {
  monitor: Monitor;
}

export interface MonitorPage {
  monitors?: Monitor[];
  next_page_token?: string | null;
}

export interface MonitorSettings {
  enabled?: boolean;
  sample_rate?: Figure;
  keep_bodies?: boolean;
  body_bytes?: number;
  keep_days?: Figure;
  keep_requests?: number;
  keep_figures_days?: Figure;
  window_rows?: number;
  window_seconds?: Figure;
  minimum_rows?: number;
  every_seconds?: Figure;
  false_alarm_rate?: Figure;
  raise_after?: number;
  clear_after?: number;
  statistics?: string[];
  ignored_columns?: string[];
  thresholds?: Threshold[];
  actions?: AlertAction[];
}

export interface MonitorWindow {
  start_time: number;
  end_time: number;
  first_sequence: number;
  last_sequence: number;
  model?: string;
  version?: string;
  requests?: number;
  rows?: number;
}

export interface Moved {
  moved: number;
}

export interface OrderBy {
  field_name: string;
  ascending?: boolean;
  dataset_name?: string | null;
  dataset_digest?: string | null;
}

export interface Outcome {
  request_id: string;
  value: string;
}

export interface OutcomesRecorded {
  attached?: number;
  unknown?: string[];
}

export interface Param {
  key: string;
  value: string;
}

export interface PinnedMetric {
  key: string;
  goal?: string;
}

export interface Placed {
  sent_id: string;
  id: string;
  artifact_uri: string;
  created: boolean;
}

export interface PlacedAnswer {
  placed?: Placed[];
}

export interface PlannedEndpoint {
  endpoint: ServingEndpoint;
  versions?: PlannedVersion[];
}

export interface PlannedVersion {
  version: string;
  stage: string;
  aliases?: string[];
}

export interface PresignedUrl {
  url: string;
  headers?: Record<string, string>;
  file_size?: number | null;
}

export interface ProfileAnswer {
  profile?: string | null;
}

export interface Purged {
  experiments: number;
  runs: number;
  logged_models: number;
}

export interface RegisteredModel {
  name: string;
  creation_timestamp?: number | null;
  last_updated_timestamp?: number | null;
  description?: string | null;
  latest_versions?: ModelVersion[];
  tags?: RegisteredModelTag[];
  aliases?: RegisteredModelAlias[];
}

export interface RegisteredModelAlias {
  alias: string;
  version: string;
}

export interface RegisteredModelAnswer {
  registered_model: RegisteredModel;
}

export interface RegisteredModelDetails {
  id: string;
  name: string;
  creation_timestamp: number;
  last_updated_timestamp: number;
  user_id?: string | null;
  description?: string | null;
  latest_versions?: ModelVersion[];
  tags?: Tag[];
}

export interface RegisteredModelDetailsAnswer {
  registered_model_databricks: RegisteredModelDetails;
}

export interface RegisteredModelPage {
  registered_models?: RegisteredModel[];
  next_page_token?: string | null;
}

export interface RegisteredModelTag {
  key: string;
  value: string;
}

export interface RegistryActivity {
  sequence: number;
  kind: string;
  model: string;
  timestamp: number;
  user_id: string;
  previous_hash: string;
  hash: string;
  version?: string | null;
  key?: string | null;
  before?: string | null;
  after?: string | null;
  others?: string[];
  undoes?: number | null;
  comment?: string | null;
}

export interface RegistryActivityPage {
  activities?: RegistryActivity[];
  next_page_token?: string | null;
}

export interface RegistryVerification {
  intact: boolean;
  checked: number;
  reason?: string | null;
}

export interface RegistryWebhook {
  id: string;
  events: string[];
  creation_timestamp: number;
  last_updated_timestamp: number;
  status?: string;
  description?: string | null;
  model_name?: string | null;
  http_url_spec?: HttpUrlSpec | null;
  job_spec?: JobSpec | null;
}

export interface RegistryWebhookAnswer {
  webhook: RegistryWebhook;
}

export interface RegistryWebhookPage {
  webhooks?: RegistryWebhook[];
  next_page_token?: string | null;
}

export interface RegistryWebhookTest {
  status_code?: number | null;
  body?: string | null;
}

export interface RegistryWebhookTestAnswer {
  webhook: RegistryWebhookTest;
  status_code?: number | null;
  body?: string | null;
}

export interface Removed {
  removed?: number;
}

export interface Replica {
  host: string;
  endpoint: string;
  version: string;
  number: number;
  state: string;
  since: number;
  restarts: number;
  pid?: number | null;
  port?: number | null;
  error?: string | null;
}

export interface ReplicaLog {
  host: string;
  version: string;
  number: number;
  text: string;
}

export interface ReplicaReport {
  endpoint: string;
  version: string;
  number: number;
  state: string;
  since: number;
  restarts?: number;
  pid?: number | null;
  port?: number | null;
  error?: string | null;
  log?: string | null;
}

export interface RequestPage {
  requests?: RequestRecord[];
  next_page_token?: string | null;
}

export interface RequestRecord {
  endpoint: string;
  request_id: string;
  time: number;
  model?: string;
  version?: string;
  status_code?: number;
  seconds?: Figure;
  rows?: number;
  content_type?: string | null;
  request?: string | null;
  answer?: string | null;
  outcome?: string | null;
  outcome_time?: number | null;
  sequence?: number;
}

export interface RuleVerdict {
  rule: string;
  kind: string;
  met: boolean;
  reason: string;
  value?: Figure | null;
  required?: Figure | null;
  holder?: string | null;
  holder_value?: Figure | null;
}

export interface Run {
  info: RunInfo;
  data?: RunData;
  inputs?: RunInputs;
  outputs?: RunOutputs;
}

export interface RunAnswer {
  run: Run;
}

export interface RunColour {
  run_id: string;
  colour: number;
}

export interface RunColumn {
  key: string;
  kind: string;
  type: string;
  count: number;
  distinct: number;
  varies?: boolean;
  exact?: boolean;
  min?: Figure | null;
  max?: Figure | null;
}

export interface RunColumns {
  runs: number;
  total: number;
  columns?: RunColumn[];
}

export interface RunData {
  metrics?: Metric[];
  params?: Param[];
  tags?: RunTag[];
}

export interface RunInfo {
  run_id: string;
  experiment_id: string;
  user_id?: string | null;
  status?: string;
  start_time?: number | null;
  end_time?: number | null;
  lifecycle_stage?: string;
  artifact_uri?: string | null;
  run_name?: string | null;
  run_uuid?: string | null;
}

export interface RunInfoAnswer {
  run_info: RunInfo;
}

export interface RunInputs {
  dataset_inputs?: DatasetInput[];
  model_inputs?: LoggedModelInput[];
}

export interface RunOutputs {
  model_outputs?: LoggedModelOutput[];
}

export interface RunPage {
  runs?: Run[];
  next_page_token?: string | null;
}

export interface RunTable {
  total: number;
  matched: number;
  snapshot: string;
  ids?: string[];
  cols?: Record<string, unknown[]>;
  depths?: number[];
  children?: number[];
  counts?: number[];
  filters?: string[];
}

export interface RunTag {
  key: string;
  value: string;
}

export interface Series {
  run_id: string;
  steps: number[];
  timestamps: number[];
  values: Figure[];
  sampled: boolean;
}

export interface SeriesAnswer {
  series?: Series[];
}

export interface SeriesDigest {
  run_id: string;
  key: string;
  points: number;
  digest: string;
}

export interface SeriesDigests {
  series?: SeriesDigest[];
}

export interface ServedVersion {
  version: string;
  stage: string;
  aliases: string[];
  percent: Figure;
  shadow: boolean;
  state: string;
  replicas?: Replica[];
}

export interface ServiceFigures {
  endpoint: string;
  time: number;
  step: number;
  model?: string;
  version?: string;
  requests?: number;
  errors?: number;
  refused?: number;
  rows?: number;
  seconds?: Figure;
  p50?: Figure;
  p95?: Figure;
  p99?: Figure;
}

export interface ServiceFiguresAnswer {
  figures?: ServiceFigures[];
}

export interface ServingEndpoint {
  name: string;
  model: string;
  enabled: boolean;
  traffic: Share[];
  serves: string;
  workers: number;
  replicas: number;
  env_manager: string;
  idle_seconds: Figure;
  shadow: string[];
  generation: number;
  revision: number;
  creation_timestamp: number;
  last_updated_timestamp: number;
  user_id: string;
  state: string;
  limits?: EndpointLimits;
  canary?: Canary | null;
  reason?: string | null;
}

export interface ServingHost {
  host: string;
  address: string;
  node: string;
  pid: number;
  started: number;
  beat: number;
  alive: boolean;
  state: string;
}

export interface ServingHosts {
  hosts?: ServingHost[];
}

export interface ServingPlan {
  token: string;
  changed: boolean;
  endpoints?: PlannedEndpoint[];
}

export interface Share {
  target: string;
  weight: Figure;
}

export interface StoredAnswer {
  runs?: StoredRun[];
  models?: StoredModel[];
}

export interface StoredModel {
  model: LoggedModel;
  deleted_time?: number | null;
}

export interface StoredRun {
  run: Run;
  deleted_time?: number | null;
}

export interface Tag {
  key: string;
  value: string;
}

export interface Threshold {
  statistic: string;
  limit: Figure;
  column?: string;
}

export interface TransitionActivity {
  activity_type: string;
  user_id: string;
  creation_timestamp: number;
  last_updated_timestamp?: number | null;
  id?: string;
  from_stage?: string;
  to_stage?: string;
  comment?: string | null;
  system_comment?: string | null;
}

export interface TransitionActivityAnswer {
  activity: TransitionActivity;
}

export interface TransitionCheck {
  allowed: boolean;
  verdicts?: RuleVerdict[];
  signatures_of?: string[];
}

export interface TransitionRequest {
  user_id: string;
  to_stage: string;
  creation_timestamp: number;
  last_updated_timestamp?: number | null;
  id?: string;
  name?: string;
  version?: string;
  from_stage?: string;
  activity_type?: string;
  comment?: string | null;
  state?: string;
  approved_by?: string[];
  decided_by?: string | null;
  reason?: string | null;
  available_actions?: string[];
}

export interface TransitionRequestAnswer {
  request: TransitionRequest;
}

export interface TransitionRequestList {
  requests?: TransitionRequest[];
}

export interface TransitionRequestPage {
  requests?: TransitionRequest[];
  next_page_token?: string | null;
}

export interface Trash {
  experiments: number;
  runs: number;
  items?: Discarded[];
}

export interface ValueCount {
  value: string;
  count: number;
}

export interface View {
  view_id: string;
  page: string;
  name: string;
  state: string;
  owner: string;
  shared: boolean;
  creation_time: number;
  last_update_time: number;
  experiment_ids?: string[];
}

export interface ViewAnswer {
  view: View;
}

export interface Views {
  views?: View[];
  default_view_id?: string | null;
}

export interface WebhookAnswer {
  webhook: WebhookRecord;
}

export interface WebhookDelivery {
  delivery_id: string;
  webhook_id: string;
  event: string;
  status: string;
  creation_timestamp: number;
  tries?: number;
  model_name?: string | null;
  last_try_time?: number | null;
  next_try_time?: number | null;
  answer_status?: number | null;
  answer_excerpt?: string | null;
  error?: string | null;
  replay_of?: string | null;
  payload?: string | null;
}

export interface WebhookDeliveryAnswer {
  delivery: WebhookDelivery;
}

export interface WebhookDeliveryPage {
  deliveries?: WebhookDelivery[];
  next_page_token?: string | null;
}

export interface WebhookPage {
  webhooks?: WebhookRecord[];
  next_page_token?: string | null;
}

export interface WebhookRecord {
  webhook_id: string;
  name: string;
  url: string;
  creation_timestamp: number;
  last_updated_timestamp: number;
  events?: EventName[];
  status?: string;
  description?: string | null;
  event_names?: string[];
  model_name?: string | null;
  payload_format?: string;
  has_secret?: boolean;
  has_authorization?: boolean;
  enable_ssl_verification?: boolean | null;
  job_id?: string | null;
}

export interface WebhookReplay {
  replayed: number;
}

export interface WebhookTestAnswer {
  result: WebhookTestResult;
}

export interface WebhookTestResult {
  success: boolean;
  response_status?: number | null;
  response_body?: string | null;
  error_message?: string | null;
}

export interface WindowFindings {
  endpoint: string;
  window: MonitorWindow;
  time: number;
  findings?: Finding[];
}

/** Approve what is asked for a version and a stage, and carry it out. */
export const ApproveTransitionRequest: Operation<{ name: string; version: string; stage: string; archive_existing_versions?: boolean; comment?: string | null; }, TransitionActivityAnswer> = { method: "POST", path: "/api/2.0/mlflow/transition-requests/approve" };

/** Say that the process of a run is alive; without a new beat within ``seconds`` the run counts as died. */
export const BeatRun: Operation<{ run_id: string; seconds: Figure; }, object> = { method: "POST", path: "/api/v1/runs/beat" };

/** Say that a host lives, where, and what its scoring processes do (unset: what they did before). */
export const BeatServingHost: Operation<{ host: string; address: string; node: string; pid: number; started: number; state?: string; replicas?: ReplicaReport[] | null; }, object> = { method: "POST", path: "/api/v1/serving/hosts/beat" };

/** Set a tag of many runs, or move them to the trash or out of it: as many of them as ``limit`` says at a time. */
export const ChangeRuns: Operation<{ experiment_ids: string[]; action: string; filter?: string | null; run_ids?: string[]; except_run_ids?: string[]; snapshot?: string | null; key?: string; value?: string; limit?: number; page_token?: string | null; }, ChangedRuns> = { method: "POST", path: "/api/v1/runs/change" };

/** Tell how a version stands to each rule for a stage or an alias, without moving it. */
export const CheckTransition: Operation<{ name: string; version: string; stage?: string | null; alias?: string | null; }, TransitionCheck> = { method: "GET", path: "/api/v1/model-versions/check-transition" };

/** Ask to be the only one who looks at an endpoint for so many seconds; 0 gives it back. */
export const ClaimMonitor: Operation<{ name: string; holder: string; seconds?: Figure; }, Claimed> = { method: "POST", path: "/api/v1/endpoints/{name}/monitor/claim" };

/** Say something about a version. */
export const CreateComment: Operation<{ name: string; version: string; comment: string; }, CommentAnswer> = { method: "POST", path: "/api/2.0/mlflow/comments/create" };

/** Create an endpoint that serves the versions of a registered model. */
export const CreateEndpoint: Operation<{ name: string; model: string; enabled?: boolean; traffic?: Share[]; serves?: string; workers?: number; replicas?: number; env_manager?: string; idle_seconds?: Figure; shadow?: string[]; limits?: EndpointLimits; }, EndpointAnswer> = { method: "POST", path: "/api/v1/endpoints" };

/** Create an experiment with a name that no other has, deleted ones included. */
export const CreateExperiment: Operation<{ name: string; artifact_location?: string | null; tags?: ExperimentTag[]; }, ExperimentCreated> = { method: "POST", path: "/api/2.0/mlflow/experiments/create" };

/** Create a logged model whose files are still to come. Without a name it gets a readable one. */
export const CreateLoggedModel: Operation<{ experiment_id: string; name?: string | null; model_type?: string | null; source_run_id?: string | null; params?: LoggedModelParameter[]; tags?: LoggedModelTag[]; }, LoggedModelAnswer> = { method: "POST", path: "/api/2.0/mlflow/logged-models" };

/** Create the next version of a registered model. */
export const CreateModelVersion: Operation<{ name: string; source: string; run_id?: string | null; tags?: ModelVersionTag[]; run_link?: string | null; description?: string | null; model_id?: string | null; }, ModelVersionAnswer> = { method: "POST", path: "/api/2.0/mlflow/model-versions/create" };

/** Create a registered model with a name that no other has. */
export const CreateRegisteredModel: Operation<{ name: string; tags?: RegisteredModelTag[]; description?: string | null; }, RegisteredModelAnswer> = { method: "POST", path: "/api/2.0/mlflow/registered-models/create" };

/** Subscribe an address, or a job, to events of one registered model or of all, as the managed registry does. */
export const CreateRegistryWebhook: Operation<{ events: string[]; model_name?: string | null; description?: string | null; status?: string | null; http_url_spec?: HttpUrlSpec | null; job_spec?: JobSpec | null; }, RegistryWebhookAnswer> = { method: "POST", path: "/api/2.0/mlflow/registry-webhooks/create" };

/** Start a run in an active experiment. ``start_time`` is in milliseconds since the epoch. */
export const CreateRun: Operation<{ experiment_id?: string; user_id?: string | null; run_name?: string | null; start_time?: number | null; tags?: RunTag[]; }, RunAnswer> = { method: "POST", path: "/api/2.0/mlflow/runs/create" };

/** Ask that a version move to a stage; a user asks once for the same. */
export const CreateTransitionRequest: Operation<{ name: string; version: string; stage: string; comment?: string | null; }, TransitionRequestAnswer> = { method: "POST", path: "/api/2.0/mlflow/transition-requests/create" };

/** Subscribe an address to events of all registered models, or of one. */
export const CreateWebhook: Operation<{ name: string; url: string; events?: (string | EventName)[]; description?: string | null; secret?: string | null; status?: string | null; model_name?: string | null; payload_format?: string | null; authorization?: string | null; enable_ssl_verification?: boolean | null; }, WebhookAnswer> = { method: "POST", path: "/api/2.0/mlflow/webhooks" };

/** Remove a file or a folder of a run; everything it has without a ``path``. */
export const DeleteArtifacts: Operation<{ run_id: string; path?: string | null; }, object> = { method: "POST", path: "/api/v1/artifacts/delete" };

/** Remove a comment; only who wrote it may. */
export const DeleteComment: Operation<{ id: string; }, object> = { method: "DELETE", path: "/api/2.0/mlflow/comments/delete" };

/** Remove an endpoint; its requests under way are answered, then its processes end. */
export const DeleteEndpoint: Operation<{ name: string; }, object> = { method: "DELETE", path: "/api/v1/endpoints/{name}" };

/** Move an experiment and its runs to the trash. */
export const DeleteExperiment: Operation<{ experiment_id: string; }, object> = { method: "POST", path: "/api/2.0/mlflow/experiments/delete" };

/** Remove a tag of an experiment. */
export const DeleteExperimentTag: Operation<{ experiment_id: string; key: string; }, object> = { method: "POST", path: "/api/2.0/mlflow/experiments/delete-experiment-tag" };

/** Move a logged model to the trash. */
export const DeleteLoggedModel: Operation<{ model_id: string; }, object> = { method: "DELETE", path: "/api/2.0/mlflow/logged-models/{model_id}" };

/** Remove a tag of a logged model. */
export const DeleteLoggedModelTag: Operation<{ model_id: string; tag_key: string; }, object> = { method: "DELETE", path: "/api/2.0/mlflow/logged-models/{model_id}/tags/{tag_key}" };

/** Remove the points of a metric from a step on; the whole metric unless ``from_step`` is given. */
export const DeleteMetric: Operation<{ run_id: string; key?: string | null; from_step?: number | null; }, Deleted> = { method: "POST", path: "/api/v1/metrics/delete" };

/** Remove a rule, if it is there. */
export const DeleteModelRule: Operation<{ name: string; rule: string; }, object> = { method: "DELETE", path: "/api/v1/registered-models/rules/delete" };

/** Remove a version and its aliases; its number is not given again. Its files stay where they are. */
export const DeleteModelVersion: Operation<{ name: string; version: string; }, object> = { method: "DELETE", path: "/api/2.0/mlflow/model-versions/delete" };

/** Remove a tag of a version, if it is there. */
export const DeleteModelVersionTag: Operation<{ name: string; version: string; key: string; }, object> = { method: "DELETE", path: "/api/2.0/mlflow/model-versions/delete-tag" };

/** Stop watching an endpoint; what was recorded of it is removed. */
export const DeleteMonitor: Operation<{ name: string; }, object> = { method: "DELETE", path: "/api/v1/endpoints/{name}/monitor" };

/** Remove a registered model with all its versions. Their files stay with the runs and logged models. */
export const DeleteRegisteredModel: Operation<{ name: string; }, object> = { method: "DELETE", path: "/api/2.0/mlflow/registered-models/delete" };

/** Remove an alias, if it is there. */
export const DeleteRegisteredModelAlias: Operation<{ name: string; alias: string; }, object> = { method: "DELETE", path: "/api/2.0/mlflow/registered-models/alias" };

/** Remove a tag of a registered model, if it is there. */
export const DeleteRegisteredModelTag: Operation<{ name: string; key: string; }, object> = { method: "DELETE", path: "/api/2.0/mlflow/registered-models/delete-tag" };

/** Remove a webhook with the log of its deliveries, as the managed registry does. */
export const DeleteRegistryWebhook: Operation<{ id: string; }, object> = { method: "DELETE", path: "/api/2.0/mlflow/registry-webhooks/delete" };

/** Move a run to the trash. */
export const DeleteRun: Operation<{ run_id: string; }, object> = { method: "POST", path: "/api/2.0/mlflow/runs/delete" };

/** Remove a tag of a run. */
export const DeleteTag: Operation<{ run_id: string; key: string; }, object> = { method: "POST", path: "/api/2.0/mlflow/runs/delete-tag" };

/** Withdraw one's own request. ``creator`` is who asked: oneself, whom it also means when it is left out. */
export const DeleteTransitionRequest: Operation<{ name: string; version: string; stage: string; creator?: string | null; comment?: string | null; }, TransitionActivityAnswer> = { method: "DELETE", path: "/api/2.0/mlflow/transition-requests/delete" };

/** Delete a view of one's own, or a shared one. */
export const DeleteView: Operation<{ experiment_ids: string[]; view_id: string; }, object> = { method: "POST", path: "/api/v1/views/delete" };

/** Remove a webhook with the log of its deliveries; what waits is not sent any more. */
export const DeleteWebhook: Operation<{ webhook_id: string; }, object> = { method: "DELETE", path: "/api/2.0/mlflow/webhooks/{webhook_id}" };

/** Count and digest the whole history of every metric of some runs, so that two stores can be compared. */
export const DigestSeries: Operation<{ run_ids?: string[]; }, SeriesDigests> = { method: "POST", path: "/api/v1/import/digests" };

/** Switch off every endpoint of a registered model; the answer is those that it has. */
export const DisableServing: Operation<{ name: string; }, EndpointPage> = { method: "POST", path: "/api/v1/registered-models/disable-serving" };

/** Serve every version of a registered model that is not archived, at an endpoint of the model's name. */
export const EnableServing: Operation<{ name: string; env_manager?: string | null; }, EndpointAnswer> = { method: "POST", path: "/api/v1/registered-models/enable-serving" };

/** End a canary: PROMOTED gives it all the traffic from now on, ROLLED_BACK and STOPPED give it none. */
export const EndCanary: Operation<{ name: string; outcome: string; reason?: string | null; revision?: number | null; }, EndpointAnswer> = { method: "POST", path: "/api/v1/endpoints/{name}/canary/end" };

/** Say that a host has ended, and with it its scoring processes. */
export const EndServingHost: Operation<{ host: string; }, object> = { method: "POST", path: "/api/v1/serving/hosts/end" };

/** Say that the files of a logged model are complete, or that they failed. */
export const FinalizeLoggedModel: Operation<{ model_id: string; status: string; }, LoggedModelAnswer> = { method: "PATCH", path: "/api/2.0/mlflow/logged-models/{model_id}" };

/** Ask whether a version of a registered model points at files: at ``path`` below the root ``uri``, into it or */
export const FindArtifactPin: Operation<{ uri: string; path?: string | null; }, ArtifactPin> = { method: "GET", path: "/api/v1/artifacts/pin" };

/** Find experiments, runs and registered models whose name holds a text, or whose id begins with it. */
export const FindByName: Operation<{ text: string; limit?: number; }, FoundAnswer> = { method: "GET", path: "/api/v1/find" };

/** List deleted experiments, runs and logged models, with what still refers to them. */
export const FindGarbage: Operation<{ deleted_before?: number | null; run_ids?: string[]; experiment_ids?: string[]; logged_model_ids?: string[]; }, GarbageAnswer> = { method: "POST", path: "/api/v1/garbage/find" };

/** Read what is pinned in an experiment. */
export const GetArrangement: Operation<{ experiment_id: string; }, Arrangement> = { method: "GET", path: "/api/v1/arrangement/get" };

/** Read an endpoint with the versions that it serves and their replicas. */
export const GetEndpoint: Operation<{ name: string; }, EndpointAnswer> = { method: "GET", path: "/api/v1/endpoints/{name}" };

/** Read the last lines of the scoring processes of an endpoint, of one version if given. */
export const GetEndpointLogs: Operation<{ name: string; version?: string | null; }, EndpointLogs> = { method: "GET", path: "/api/v1/endpoints/{name}/logs" };

/** Read one experiment, deleted or not, by id. */
export const GetExperiment: Operation<{ experiment_id: string; }, ExperimentAnswer> = { method: "GET", path: "/api/2.0/mlflow/experiments/get" };

/** Read one experiment, deleted or not, by name. */
export const GetExperimentByName: Operation<{ experiment_name: string; }, ExperimentAnswer> = { method: "GET", path: "/api/2.0/mlflow/experiments/get-by-name" };

/** Tell which versions held a stage or an alias at a time, now unless given. */
export const GetHolders: Operation<{ name: string; stage?: string | null; alias?: string | null; timestamp?: number | null; }, Holders> = { method: "GET", path: "/api/v1/registered-models/holders" };

/** Read the latest version of each of these stages, of every stage unless some are named. */
export const GetLatestVersions: Operation<{ name: string; stages?: string[]; }, ModelVersionPage> = { method: "POST", path: "/api/2.0/mlflow/registered-models/get-latest-versions" };

/** Read one logged model that is not deleted. */
export const GetLoggedModel: Operation<{ model_id: string; }, LoggedModelAnswer> = { method: "GET", path: "/api/2.0/mlflow/logged-models/{model_id}" };

/** Read the history of a metric; whole unless ``max_results`` asks for a page. */
export const GetMetricHistory: Operation<{ run_id: string; metric_key: string; max_results?: number | null; page_token?: string | null; }, MetricHistory> = { method: "GET", path: "/api/2.0/mlflow/metrics/get-history" };

/** Read the first points of a metric of up to 100 runs, at most ``max_results`` (25,000) in all. */
export const GetMetricHistoryBulk: Operation<{ run_id: string[]; metric_key: string; max_results?: number; }, MetricHistories> = { method: "GET", path: "/ajax-api/2.0/mlflow/metrics/get-history-bulk" };

/** Read a metric of up to 100 runs between two steps, each reduced to about ``max_results`` points. */
export const GetMetricHistoryBulkInterval: Operation<{ run_ids: string[]; metric_key: string; start_step?: number | null; end_step?: number | null; max_results?: number; }, MetricHistories> = { method: "GET", path: "/api/2.0/mlflow/metrics/get-history-bulk-interval" };

/** Read a version. */
export const GetModelVersion: Operation<{ name: string; version: string; }, ModelVersionAnswer> = { method: "GET", path: "/api/2.0/mlflow/model-versions/get" };

/** Read the version that an alias stands for. */
export const GetModelVersionByAlias: Operation<{ name: string; alias: string; }, ModelVersionAnswer> = { method: "GET", path: "/api/2.0/mlflow/registered-models/alias" };

/** Read where the files of a version are. */
export const GetModelVersionDownloadUri: Operation<{ name: string; version: string; }, DownloadUri> = { method: "GET", path: "/api/2.0/mlflow/model-versions/get-download-uri" };

/** Read the monitor of an endpoint. */
export const GetMonitor: Operation<{ name: string; }, MonitorAnswer> = { method: "GET", path: "/api/v1/endpoints/{name}/monitor" };

/** Read a registered model with the latest version of each stage. */
export const GetRegisteredModel: Operation<{ name: string; }, RegisteredModelAnswer> = { method: "GET", path: "/api/2.0/mlflow/registered-models/get" };

/** Read a registered model with the latest version of each stage, its id and its creator. */
export const GetRegisteredModelDetails: Operation<{ name: string; }, RegisteredModelDetailsAnswer> = { method: "GET", path: "/api/2.0/mlflow/databricks/registered-models/get" };

/** Read one run, deleted or not. */
export const GetRun: Operation<{ run_id: string; }, RunAnswer> = { method: "GET", path: "/api/2.0/mlflow/runs/get" };

/** Read a metric of up to 200 runs for a chart: ``buckets`` a run, each keeping its first, last, min and max. */
export const GetSeries: Operation<{ run_ids: string[]; metric_key: string; buckets?: number; by?: string; start?: number | null; end?: number | null; }, SeriesAnswer> = { method: "POST", path: "/api/v1/metrics/series" };

/** Read requests, errors and latency of each version of an endpoint between two times, in steps of minutes. */
export const GetServiceFigures: Operation<{ name: string; start_time: number; end_time: number; step_minutes?: number; model?: string | null; version?: string | null; }, ServiceFiguresAnswer> = { method: "GET", path: "/api/v1/endpoints/{name}/figures" };

/** Read the profile that was set for a version. */
export const GetVersionProfile: Operation<{ name: string; version: string; }, ProfileAnswer> = { method: "GET", path: "/api/v1/model-versions/profile" };

/** Read a view by its id; whoever has the id may read a view that has no name, or is shared. */
export const GetView: Operation<{ view_id: string; }, ViewAnswer> = { method: "GET", path: "/api/v1/views/get" };

/** Read a webhook. */
export const GetWebhook: Operation<{ webhook_id: string; }, WebhookAnswer> = { method: "GET", path: "/api/2.0/mlflow/webhooks/{webhook_id}" };

/** Read a delivery with its body. */
export const GetWebhookDelivery: Operation<{ delivery_id: string; }, WebhookDeliveryAnswer> = { method: "GET", path: "/api/v1/webhook-deliveries/get" };

/** Bring in experiments with their ids, times, tags and life-cycle stages; all or nothing. */
export const ImportExperiments: Operation<{ experiments?: ImportedExperiment[]; }, PlacedAnswer> = { method: "POST", path: "/api/v1/import/experiments" };

/** Bring in logged models with their ids, times, status, parameters, tags and metrics; all or nothing. */
export const ImportLoggedModels: Operation<{ models?: ImportedLoggedModel[]; overwrite?: boolean; }, PlacedAnswer> = { method: "POST", path: "/api/v1/import/logged-models" };

/** Bring in points of metrics of runs that are there, deleted or not; all or nothing. */
export const ImportMetrics: Operation<{ series?: ImportedSeries[]; }, object> = { method: "POST", path: "/api/v1/import/metrics" };

/** Bring in registered models with their versions, stages, aliases, tags and times; all or nothing. */
export const ImportRegisteredModels: Operation<{ models?: ImportedRegisteredModel[]; overwrite?: boolean; }, object> = { method: "POST", path: "/api/v1/import/registered-models" };

/** Bring in runs with their ids, times, life-cycle stages, parameters, tags, inputs and outputs; all or nothing. */
export const ImportRuns: Operation<{ runs?: ImportedRun[]; overwrite?: boolean; }, PlacedAnswer> = { method: "POST", path: "/api/v1/import/runs" };

/** List alerts, the newest first: of one endpoint, version, or only those that are open, if asked for. */
export const ListAlerts: Operation<{ name?: string | null; model?: string | null; version?: string | null; only_open?: boolean; max_results?: number; page_token?: string | null; }, AlertPage> = { method: "GET", path: "/api/v1/monitoring/alerts" };

/** List the files and folders of a run directly under ``path``. */
export const ListArtifacts: Operation<{ run_id: string; path?: string | null; page_token?: string | null; }, ArtifactListing> = { method: "GET", path: "/api/2.0/mlflow/artifacts/list" };

/** List what has changed after ``since``, a number that an answer gave; without it, only the present number. */
export const ListChanges: Operation<{ since?: number | null; experiment_ids?: string[]; }, ChangePage> = { method: "GET", path: "/api/v1/changes" };

/** List the keys of metrics, parameters and tags that the runs of some experiments have. */
export const ListColumns: Operation<{ experiment_ids: string[]; kinds?: string[]; match?: string | null; limit?: number; }, RunColumns> = { method: "POST", path: "/api/v1/runs/columns" };

/** List the comments on a version (on all versions unless one is named), the newest first. */
export const ListComments: Operation<{ name: string; version?: string | null; max_results?: number; page_token?: string | null; }, CommentPage> = { method: "GET", path: "/api/v1/comments/list" };

/** List what has happened to an endpoint, the newest first. */
export const ListEndpointEvents: Operation<{ name: string; max_results?: number; page_token?: string | null; }, EndpointHistory> = { method: "GET", path: "/api/v1/endpoints/{name}/history" };

/** List endpoints by name, all of them or those of a registered model. */
export const ListEndpoints: Operation<{ model?: string | null; max_results?: number; page_token?: string | null; }, EndpointPage> = { method: "GET", path: "/api/v1/endpoints" };

/** Read what was found, window by window, the newest first; of one version, column or statistic if one is named. */
export const ListFindings: Operation<{ name: string; model?: string | null; version?: string | null; column?: string | null; statistic?: string | null; start_time?: number | null; end_time?: number | null; max_results?: number; page_token?: string | null; }, FindingsPage> = { method: "GET", path: "/api/v1/endpoints/{name}/findings" };

/** List the files and folders of a logged model directly under ``artifact_directory_path``. */
export const ListLoggedModelArtifacts: Operation<{ model_id: string; artifact_directory_path?: string | null; page_token?: string | null; }, ArtifactListing> = { method: "GET", path: "/api/2.0/mlflow/logged-models/{model_id}/artifacts/directories" };

/** List the rules of a registered model. */
export const ListModelRules: Operation<{ name: string; }, ModelRuleList> = { method: "GET", path: "/api/v1/registered-models/rules/list" };

/** List the files and folders of a version directly under ``path``. */
export const ListModelVersionArtifacts: Operation<{ name: string; version: string; path?: string | null; }, ArtifactListing> = { method: "GET", path: "/api/v1/model-versions/artifacts" };

/** List monitors by endpoint, page by page. */
export const ListMonitors: Operation<{ max_results?: number; page_token?: string | null; }, MonitorPage> = { method: "GET", path: "/api/v1/monitoring/monitors" };

/** List what has happened to a registered model and its versions, the newest first. */
export const ListRegistryActivities: Operation<{ name: string; version?: string | null; max_results?: number; page_token?: string | null; }, RegistryActivityPage> = { method: "GET", path: "/api/v1/registered-models/activities" };

/** List webhooks as the managed registry shows them: those of a model, and those with any of these events. */
export const ListRegistryWebhooks: Operation<{ model_name?: string | null; events?: string[]; max_results?: number; page_token?: string | null; }, RegistryWebhookPage> = { method: "GET", path: "/api/2.0/mlflow/registry-webhooks/list" };

/** List the hosts that serve endpoints. */
export const ListServingHosts: Operation<object, ServingHosts> = { method: "GET", path: "/api/v1/serving/hosts" };

/** List the open requests for a version, the oldest first. */
export const ListTransitionRequests: Operation<{ name: string; version: string; }, TransitionRequestList> = { method: "GET", path: "/api/2.0/mlflow/transition-requests/list" };

/** List deleted experiments and runs; runs that were deleted with their experiment are counted with it. */
export const ListTrash: Operation<{ kind?: string | null; text?: string | null; offset?: number; limit?: number; }, Trash> = { method: "GET", path: "/api/v1/trash" };

/** List the named views of an experiment: one's own, and those that are shared. */
export const ListViews: Operation<{ experiment_id: string; }, Views> = { method: "GET", path: "/api/v1/views/list" };

/** List what was sent and what waits, the newest first: of a webhook, of a registered model, with a status. */
export const ListWebhookDeliveries: Operation<{ webhook_id?: string | null; model_name?: string | null; status?: string | null; max_results?: number; page_token?: string | null; }, WebhookDeliveryPage> = { method: "GET", path: "/api/v1/webhook-deliveries/list" };

/** List webhooks in the order of their creation; unless ``all_events``, those with an event that MLflow has too. */
export const ListWebhooks: Operation<{ max_results?: number; page_token?: string | null; all_events?: boolean; }, WebhookPage> = { method: "GET", path: "/api/2.0/mlflow/webhooks" };

/** Log metrics, parameters and tags of one run, all or nothing. */
export const LogBatch: Operation<{ run_id: string; metrics?: Metric[]; params?: Param[]; tags?: RunTag[]; }, object> = { method: "POST", path: "/api/2.0/mlflow/runs/log-batch" };

/** Note the datasets and models that a run has read. */
export const LogInputs: Operation<{ run_id: string; datasets?: DatasetInput[]; models?: LoggedModelInput[]; }, object> = { method: "POST", path: "/api/2.0/mlflow/runs/log-inputs" };

/** Log parameters of a logged model. */
export const LogLoggedModelParams: Operation<{ model_id: string; params?: LoggedModelParameter[]; }, object> = { method: "POST", path: "/api/2.0/mlflow/logged-models/{model_id}/params" };

/** Log one point of a metric. ``timestamp`` is in milliseconds since the epoch. */
export const LogMetric: Operation<{ run_id: string; key: string; value: Figure; timestamp: number; step?: number; model_id?: string | null; dataset_name?: string | null; dataset_digest?: string | null; }, object> = { method: "POST", path: "/api/2.0/mlflow/runs/log-metric" };

/** Note a model written by a client older than MLflow 3: ``model_json`` is its MLmodel as JSON text. */
export const LogModel: Operation<{ run_id: string; model_json: string; }, object> = { method: "POST", path: "/api/2.0/mlflow/runs/log-model" };

/** Note the models that a run has made. */
export const LogOutputs: Operation<{ run_id: string; models?: LoggedModelOutput[]; }, object> = { method: "POST", path: "/api/2.0/mlflow/runs/outputs" };

/** Log a parameter; once logged it keeps its value. */
export const LogParam: Operation<{ run_id: string; key: string; value?: string; }, object> = { method: "POST", path: "/api/2.0/mlflow/runs/log-parameter" };

/** Move runs, with all they hold, to another active experiment; all or nothing. Artifacts stay where they lie. */
export const MoveRuns: Operation<{ run_ids: string[]; experiment_id: string; }, Moved> = { method: "POST", path: "/api/v1/runs/move" };

/** Read experiments at a glance. */
export const OverviewExperiments: Operation<{ text?: string | null; filter?: string | null; view_type?: string; order_by?: string; offset?: number; limit?: number; }, ExperimentOverview> = { method: "POST", path: "/api/v1/experiments/overview" };

/** Read registered models at a glance; prompts are none. */
export const OverviewModels: Operation<{ text?: string | null; filter?: string | null; order_by?: string; offset?: number; limit?: number; }, ModelOverview> = { method: "POST", path: "/api/v1/registered-models/overview" };

/** Ask for an address from which one file of a run may be fetched. */
export const PresignDownload: Operation<{ run_id: string; path: string; expiration?: number; }, PresignedUrl> = { method: "POST", path: "/api/2.0/mlflow/artifacts/presigned-download-url" };

/** Ask for an address to which one file of a run may be put. */
export const PresignUpload: Operation<{ run_id: string; path: string; expiration?: number; }, PresignedUrl> = { method: "POST", path: "/api/2.0/mlflow/artifacts/presigned-upload-url" };

/** Remove what the monitor of an endpoint no longer keeps: requests, figures, findings and cleared alerts. */
export const PruneRequests: Operation<{ name: string; before?: number | null; most?: number | null; }, Removed> = { method: "POST", path: "/api/v1/endpoints/{name}/requests/prune" };

/** Remove deleted experiments, runs and logged models from the store for good; all or nothing. */
export const PurgeGarbage: Operation<{ run_ids?: string[]; experiment_ids?: string[]; logged_model_ids?: string[]; }, Purged> = { method: "POST", path: "/api/v1/garbage/purge" };

/** Read metrics of up to 1,000 runs for a chart ``pixels`` wide: the min, max and last of each bucket. */
export const QueryCurves: Operation<{ run_ids: string[]; metrics: string[]; axis?: string; x0?: Figure | null; x1?: Figure | null; pixels?: number; }, Curves> = { method: "POST", path: "/api/v1/runs/curves" };

/** Read how the values of one column are spread over the runs that a filter selects. */
export const QueryDistribution: Operation<{ experiment_ids: string[]; column: string; filter?: string | null; view_type?: string; bars?: number; }, Distribution> = { method: "POST", path: "/api/v1/runs/distribution" };

/** Read a window of the table of all runs that a filter selects, with the columns that are asked for. */
export const QueryRuns: Operation<{ experiment_ids: string[]; filter?: string | null; order_by?: string[]; view_type?: string; columns?: string[]; offset?: number; limit?: number; snapshot?: string | null; tree?: boolean; expanded?: string[]; group_by?: string[]; run_ids?: string[]; pinned_first?: boolean; }, RunTable> = { method: "POST", path: "/api/v1/runs/query" };

/** Read what hosts are to serve, if it has changed since ``token`` was told. */
export const ReadServingPlan: Operation<{ token?: string | null; }, ServingPlan> = { method: "GET", path: "/api/v1/serving/plan" };

/** Read runs and logged models by id, in the trash or not; unknown ids are left out. */
export const ReadStored: Operation<{ run_ids?: string[]; model_ids?: string[]; }, StoredAnswer> = { method: "POST", path: "/api/v1/import/stored" };

/** Keep what was found in a window, raise and clear alerts, and do what the monitor says is to be done then. */
export const RecordFindings: Operation<{ name: string; window: MonitorWindow; findings: Finding[]; raised?: AlertChange[]; cleared?: AlertChange[]; }, FindingsRecorded> = { method: "POST", path: "/api/v1/endpoints/{name}/findings" };

/** Attach what really happened to requests by their ids; a later outcome of a request replaces an earlier one. */
export const RecordOutcomes: Operation<{ name: string; outcomes: Outcome[]; }, OutcomesRecorded> = { method: "POST", path: "/api/v1/endpoints/{name}/outcomes" };

/** Add requests to the log, and figures of minutes to those there are. */
export const RecordRequests: Operation<{ requests?: RequestRecord[]; figures?: MinuteFigures[]; }, object> = { method: "POST", path: "/api/v1/monitoring/requests" };

/** Reject what is asked for a version and a stage; the comment is kept as the reason. */
export const RejectTransitionRequest: Operation<{ name: string; version: string; stage: string; comment?: string | null; }, TransitionActivityAnswer> = { method: "POST", path: "/api/2.0/mlflow/transition-requests/reject" };

/** Give a registered model, and with it all its versions, another name. */
export const RenameRegisteredModel: Operation<{ name: string; new_name: string; }, RegisteredModelAnswer> = { method: "POST", path: "/api/2.0/mlflow/registered-models/rename" };

/** Send all deliveries of a webhook that were given up once more, in their order; none twice. */
export const ReplayFailedDeliveries: Operation<{ webhook_id: string; }, WebhookReplay> = { method: "POST", path: "/api/v1/webhook-deliveries/replay-failed" };

/** Send a delivery that has arrived or was given up once more, as a new one behind all that waits. */
export const ReplayWebhookDelivery: Operation<{ delivery_id: string; }, WebhookDeliveryAnswer> = { method: "POST", path: "/api/v1/webhook-deliveries/replay" };

/** Replace every scoring process of an endpoint by a new one; requests go on being answered. */
export const RestartEndpoint: Operation<{ name: string; }, EndpointAnswer> = { method: "POST", path: "/api/v1/endpoints/{name}/restart" };

/** Take an experiment, and the runs deleted with it, out of the trash. */
export const RestoreExperiment: Operation<{ experiment_id: string; }, object> = { method: "POST", path: "/api/2.0/mlflow/experiments/restore" };

/** Take a logged model out of the trash. */
export const RestoreLoggedModel: Operation<{ model_id: string; }, object> = { method: "POST", path: "/api/v1/logged-models/restore" };

/** Take a run out of the trash. */
export const RestoreRun: Operation<{ run_id: string; }, object> = { method: "POST", path: "/api/2.0/mlflow/runs/restore" };

/** Take back the last change of who holds a stage or an alias; done again, the change before that. */
export const RollBack: Operation<{ name: string; stage?: string | null; alias?: string | null; }, Holders> = { method: "POST", path: "/api/v1/registered-models/rollback" };

/** Save a view of a page that shows these experiments; with ``view_id``, change one of one's own. */
export const SaveView: Operation<{ experiment_ids: string[]; page: string; state: string; name?: string; shared?: boolean; view_id?: string | null; }, ViewAnswer> = { method: "POST", path: "/api/v1/views/save" };

/** List the datasets that the runs of some experiments have used, newest first, at most 1,000. */
export const SearchDatasets: Operation<{ experiment_ids: string[]; }, DatasetSummaries> = { method: "POST", path: "/api/2.0/mlflow/experiments/search-datasets" };

/** Find experiments by filter, in an order, page by page. */
export const SearchExperiments: Operation<{ max_results?: number; page_token?: string | null; filter?: string | null; order_by?: string[]; view_type?: string; }, ExperimentPage> = { method: "POST", path: "/api/2.0/mlflow/experiments/search" };

/** Find logged models by filter and datasets, in an order, page by page. */
export const SearchLoggedModels: Operation<{ experiment_ids?: string[]; filter?: string | null; datasets?: DatasetFilter[]; max_results?: number; order_by?: OrderBy[]; page_token?: string | null; }, LoggedModelPage> = { method: "POST", path: "/api/2.0/mlflow/logged-models/search" };

/** Find versions by filter, in an order, page by page. */
export const SearchModelVersions: Operation<{ filter?: string | null; max_results?: number; order_by?: string[]; page_token?: string | null; }, ModelVersionPage> = { method: "GET", path: "/api/2.0/mlflow/model-versions/search" };

/** Find registered models by filter, in an order, page by page. */
export const SearchRegisteredModels: Operation<{ filter?: string | null; max_results?: number; order_by?: string[]; page_token?: string | null; }, RegisteredModelPage> = { method: "GET", path: "/api/2.0/mlflow/registered-models/search" };

/** Find requests to an endpoint, the newest first, page by page. They are data of people: READ does not suffice. */
export const SearchRequests: Operation<{ name: string; model?: string | null; version?: string | null; request_id?: string | null; start_time?: number | null; end_time?: number | null; least_status?: number | null; most_status?: number | null; least_seconds?: Figure | null; with_outcome?: boolean | null; with_bodies?: boolean; after?: number | null; max_results?: number; page_token?: string | null; }, RequestPage> = { method: "GET", path: "/api/v1/endpoints/{name}/requests" };

/** Find runs by filter, in an order, page by page. */
export const SearchRuns: Operation<{ experiment_ids?: string[]; filter?: string | null; run_view_type?: string; max_results?: number; order_by?: string[]; page_token?: string | null; metrics?: string[] | null; params?: string[] | null; tags?: string[] | null; }, RunPage> = { method: "POST", path: "/api/2.0/mlflow/runs/search" };

/** List requests for the versions of a model, decided ones too, the newest first; or those in one state. */
export const SearchTransitionRequests: Operation<{ name: string; version?: string | null; state?: string | null; max_results?: number; page_token?: string | null; }, TransitionRequestPage> = { method: "GET", path: "/api/v1/transition-requests/search" };

/** Change what is pinned in an experiment: fields that are given take the place of what was. */
export const SetArrangement: Operation<{ experiment_id: string; metrics?: PinnedMetric[] | null; runs?: string[] | null; colours?: RunColour[] | null; default_view_id?: string | null; }, Arrangement> = { method: "POST", path: "/api/v1/arrangement/set" };

/** Set a tag of an experiment. */
export const SetExperimentTag: Operation<{ experiment_id: string; key: string; value?: string; }, object> = { method: "POST", path: "/api/2.0/mlflow/experiments/set-experiment-tag" };

/** Set tags of a logged model. */
export const SetLoggedModelTags: Operation<{ model_id: string; tags?: LoggedModelTag[]; }, object> = { method: "PATCH", path: "/api/2.0/mlflow/logged-models/{model_id}/tags" };

/** Give a registered model a rule, or another in the place of the one with the same name. */
export const SetModelRule: Operation<{ name: string; rule: ModelRule; }, ModelRuleAnswer> = { method: "POST", path: "/api/v1/registered-models/rules/set" };

/** Tell the registry the signature of a version, as its ``MLmodel`` file has it (JSON text), for rules that compare. */
export const SetModelVersionSignature: Operation<{ name: string; version: string; signature?: string; }, object> = { method: "POST", path: "/api/v1/model-versions/set-signature" };

/** Set a tag of a version. */
export const SetModelVersionTag: Operation<{ name: string; version: string; key: string; value?: string; }, object> = { method: "POST", path: "/api/2.0/mlflow/model-versions/set-tag" };

/** Watch an endpoint with these settings from now on, instead of those it had. */
export const SetMonitor: Operation<{ name: string; settings?: MonitorSettings; }, MonitorAnswer> = { method: "POST", path: "/api/v1/endpoints/{name}/monitor" };

/** Let an alias stand for a version from now on. */
export const SetRegisteredModelAlias: Operation<{ name: string; alias: string; version: string; }, object> = { method: "POST", path: "/api/2.0/mlflow/registered-models/alias" };

/** Set a tag of a registered model. */
export const SetRegisteredModelTag: Operation<{ name: string; key: string; value?: string; }, object> = { method: "POST", path: "/api/2.0/mlflow/registered-models/set-tag" };

/** Set a tag of a run. */
export const SetTag: Operation<{ run_id: string; key: string; value?: string; }, object> = { method: "POST", path: "/api/2.0/mlflow/runs/set-tag" };

/** Say what the training data of a version looked like, in place of what its files say; an empty text unsays it. */
export const SetVersionProfile: Operation<{ name: string; version: string; profile?: string; }, object> = { method: "POST", path: "/api/v1/model-versions/profile" };

/** Give a version more and more of the traffic, in steps, as long as it does well. */
export const StartCanary: Operation<{ name: string; version: string; steps: CanaryStep[]; max_error_rate?: Figure; min_requests?: number; max_seconds?: Figure | null; revision?: number | null; }, EndpointAnswer> = { method: "POST", path: "/api/v1/endpoints/{name}/canary" };

/** Let the canary of this revision of the endpoint begin its next step. */
export const StepCanary: Operation<{ name: string; revision: number; reason?: string | null; }, EndpointAnswer> = { method: "POST", path: "/api/v1/endpoints/{name}/canary/step" };

/** Send a webhook a sample of an event now and tell what came back, as the managed registry does. */
export const TestRegistryWebhook: Operation<{ id: string; event?: string | null; }, RegistryWebhookTestAnswer> = { method: "POST", path: "/api/2.0/mlflow/registry-webhooks/test" };

/** Send a webhook a sample of an event now, of its first one unless given, and tell what came back. */
export const TestWebhook: Operation<{ webhook_id: string; event?: string | EventName | null; }, WebhookTestAnswer> = { method: "POST", path: "/api/2.0/mlflow/webhooks/{webhook_id}/test" };

/** Move a version to a stage, and archive the versions that are there if asked to. */
export const TransitionModelVersionStage: Operation<{ name: string; version: string; stage: string; archive_existing_versions?: boolean; }, ModelVersionAnswer> = { method: "POST", path: "/api/2.0/mlflow/model-versions/transition-stage" };

/** Move a version to a stage, with a comment that is kept in its history. */
export const TransitionStage: Operation<{ name: string; version: string; stage: string; archive_existing_versions?: boolean; comment?: string | null; }, ModelVersionDetailsAnswer> = { method: "POST", path: "/api/2.0/mlflow/databricks/model-versions/transition-stage" };

/** Change a comment; only who wrote it may. */
export const UpdateComment: Operation<{ id: string; comment: string; }, CommentAnswer> = { method: "PATCH", path: "/api/2.0/mlflow/comments/update" };

/** Change what is given of an endpoint's settings, and leave the rest. */
export const UpdateEndpoint: Operation<{ name: string; revision?: number | null; enabled?: boolean | null; traffic?: Share[] | null; serves?: string | null; workers?: number | null; replicas?: number | null; env_manager?: string | null; idle_seconds?: Figure | null; shadow?: string[] | null; limits?: EndpointLimits | null; }, EndpointAnswer> = { method: "PATCH", path: "/api/v1/endpoints/{name}" };

/** Rename an active experiment. */
export const UpdateExperiment: Operation<{ experiment_id: string; new_name?: string | null; }, object> = { method: "POST", path: "/api/2.0/mlflow/experiments/update" };

/** Change the description of a version; without one it is removed. */
export const UpdateModelVersion: Operation<{ name: string; version: string; description?: string | null; }, ModelVersionAnswer> = { method: "PATCH", path: "/api/2.0/mlflow/model-versions/update" };

/** Change the description of a registered model; without one it is removed. */
export const UpdateRegisteredModel: Operation<{ name: string; description?: string | null; }, RegisteredModelAnswer> = { method: "PATCH", path: "/api/2.0/mlflow/registered-models/update" };

/** Change what is given of a webhook, as the managed registry does. */
export const UpdateRegistryWebhook: Operation<{ id: string; description?: string | null; events?: string[]; status?: string | null; http_url_spec?: HttpUrlSpec | null; job_spec?: JobSpec | null; }, RegistryWebhookAnswer> = { method: "PATCH", path: "/api/2.0/mlflow/registry-webhooks/update" };

/** Change the status, end time (milliseconds since the epoch) or name of an active run. */
export const UpdateRun: Operation<{ run_id: string; status?: string | null; end_time?: number | null; run_name?: string | null; }, RunInfoAnswer> = { method: "POST", path: "/api/2.0/mlflow/runs/update" };

/** Change what is given of a webhook; an empty ``secret`` or ``authorization`` removes it. */
export const UpdateWebhook: Operation<{ webhook_id: string; name?: string | null; description?: string | null; url?: string | null; events?: (string | EventName)[]; secret?: string | null; status?: string | null; payload_format?: string | null; authorization?: string | null; enable_ssl_verification?: boolean | null; }, WebhookAnswer> = { method: "PATCH", path: "/api/2.0/mlflow/webhooks/{webhook_id}" };

/** Check that no activity of a registered model was changed or left out since it was written. */
export const VerifyRegistryActivities: Operation<{ name: string; }, RegistryVerification> = { method: "GET", path: "/api/v1/registered-models/verify" };
