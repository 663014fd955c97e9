"""Tracking, registry and traces as MLflow's clients need them, alerts that can be silenced."""

import json

import blake3
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds what this revision brings."""
    op.create_table(
        "alert_silences",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=300), nullable=False),
        sa.Column("cause", sa.String(length=300), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=250), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_silences")),
    )
    with op.batch_alter_table("alert_silences", schema=None) as batch_op:
        batch_op.create_index("ix_alert_silences_until", ["until"], unique=False)

    op.create_table(
        "assessments",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("trace", sa.BigInteger(), nullable=False),
        sa.Column("experiment", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=250), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("number", sa.Float(precision=53), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("source_type", sa.String(length=50), nullable=False),
        sa.Column("source", sa.String(length=250), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("rationale", sa.Text(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("session", sa.String(length=250), nullable=True),
        sa.Column("span", sa.String(length=128), nullable=False),
        sa.Column("run", sa.String(length=128), nullable=False),
        sa.Column("overrides", sa.String(length=128), nullable=False),
        sa.Column("valid", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assessments")),
    )
    with op.batch_alter_table("assessments", schema=None) as batch_op:
        batch_op.create_index("ix_assessments_session", ["session"], unique=False)
        batch_op.create_index("ix_assessments_trace", ["trace"], unique=False)

    op.create_table(
        "comments",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("ref", sa.String(length=600), nullable=False),
        sa.Column("reply_to", sa.String(length=40), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("edited", sa.BigInteger(), nullable=True),
        sa.Column("deleted", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comments")),
    )
    with op.batch_alter_table("comments", schema=None) as batch_op:
        batch_op.create_index("ix_comments_ref", ["ref", "id"], unique=False)

    op.create_table(
        "evaluation_records",
        sa.Column("set", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("outputs", sa.Text(), nullable=True),
        sa.Column("expectations", sa.Text(), nullable=True),
        sa.Column("tags", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=250), nullable=False),
        sa.Column("updated_by", sa.String(length=250), nullable=False),
        sa.PrimaryKeyConstraint("set", "key", name=op.f("pk_evaluation_records")),
        sa.UniqueConstraint("id", name=op.f("uq_evaluation_records_id")),
    )
    with op.batch_alter_table("evaluation_records", schema=None) as batch_op:
        batch_op.create_index("ix_evaluation_records_created", ["set", "created", "id"], unique=False)

    op.create_table(
        "evaluation_set_experiments",
        sa.Column("set", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("experiment", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("set", "experiment", name=op.f("pk_evaluation_set_experiments")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "evaluation_set_tags",
        sa.Column("set", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("set", "key", name=op.f("pk_evaluation_set_tags")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "evaluation_sets",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=250), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=250), nullable=False),
        sa.Column("updated_by", sa.String(length=250), nullable=False),
        sa.Column("schema", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_evaluation_sets")),
        sa.UniqueConstraint("id", name=op.f("uq_evaluation_sets_id")),
    )
    with op.batch_alter_table("evaluation_sets", schema=None) as batch_op:
        batch_op.create_index("ix_evaluation_sets_name", ["name"], unique=False)

    op.create_table(
        "experiment_tags",
        sa.Column("experiment", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("experiment", "key", name=op.f("pk_experiment_tags")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "logged_datasets",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("experiment", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("source_type", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("schema", sa.Text(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_logged_datasets")),
        sa.UniqueConstraint("experiment", "name", "digest", name=op.f("uq_logged_datasets_experiment")),
    )
    with op.batch_alter_table("logged_datasets", schema=None) as batch_op:
        batch_op.create_index("ix_logged_datasets_name", ["name", "digest"], unique=False)

    op.create_table(
        "logged_model_metrics",
        sa.Column("model", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("step", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("run", sa.String(length=128), nullable=False),
        sa.Column("dataset", sa.String(length=500), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Float(precision=53), nullable=True),
        sa.PrimaryKeyConstraint(
            "model", "key", "step", "at", "run", "dataset", "digest", name=op.f("pk_logged_model_metrics")
        ),
    )
    op.create_table(
        "logged_model_params",
        sa.Column("model", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("model", "key", name=op.f("pk_logged_model_params")),
    )
    op.create_table(
        "logged_model_tags",
        sa.Column("model", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("model", "key", name=op.f("pk_logged_model_tags")),
    )
    op.create_table(
        "metric_chunks",
        sa.Column("run", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_step", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary(length=16), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("undefined", sa.Integer(), nullable=False),
        sa.Column("low", sa.Float(precision=53), nullable=True),
        sa.Column("high", sa.Float(precision=53), nullable=True),
        sa.Column("ends", sa.LargeBinary(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("run", "key", "first_step", "digest", name=op.f("pk_metric_chunks")),
    )
    op.create_table(
        "model_approvals",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("model", sa.String(length=256), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("requested_by", sa.String(length=200), nullable=False),
        sa.Column("approvers", sa.Text(), nullable=False),
        sa.Column("needed", sa.Integer(), nullable=False),
        sa.Column("four_eyes", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("requested", sa.BigInteger(), nullable=False),
        sa.Column("decided", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_approvals")),
    )
    with op.batch_alter_table("model_approvals", schema=None) as batch_op:
        batch_op.create_index("ix_model_approvals_model", ["model", "version", "id"], unique=False)
        batch_op.create_index(
            "uq_model_approvals_open",
            ["model", "version"],
            unique=True,
            sqlite_where=sa.text("state = 'requested'"),
            postgresql_where=sa.text("state = 'requested'"),
        )

    op.create_table(
        "model_card_sections",
        sa.Column("model", sa.String(length=256), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("heading", sa.String(length=200), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("model", "version", "heading", name=op.f("pk_model_card_sections")),
    )
    op.create_table(
        "model_deprecations",
        sa.Column("model", sa.String(length=256), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("instead", sa.String(length=600), nullable=False),
        sa.PrimaryKeyConstraint("model", "version", name=op.f("pk_model_deprecations")),
    )
    op.create_table(
        "model_holds",
        sa.Column("holder", sa.String(length=300), nullable=False),
        sa.Column("model", sa.String(length=256), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("holder", "model", "version", name=op.f("pk_model_holds")),
    )
    with op.batch_alter_table("model_holds", schema=None) as batch_op:
        batch_op.create_index("ix_model_holds_model", ["model", "version"], unique=False)

    op.create_table(
        "model_retirements",
        sa.Column("model", sa.String(length=256), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("former_stage", sa.String(length=20), nullable=False),
        sa.Column("keeps_files", sa.Boolean(), nullable=False),
        sa.Column("freed_files", sa.Integer(), nullable=False),
        sa.Column("freed_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("model", "version", name=op.f("pk_model_retirements")),
    )
    op.create_table(
        "model_signatures",
        sa.Column("model", sa.String(length=256), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("signature", sa.String(length=64), nullable=False),
        sa.Column("described", sa.Text(), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("model", "version", "key", name=op.f("pk_model_signatures")),
    )
    op.create_table(
        "run_datasets",
        sa.Column("run", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("dataset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("context", sa.String(length=500), nullable=True),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run", "dataset", name=op.f("pk_run_datasets")),
    )
    with op.batch_alter_table("run_datasets", schema=None) as batch_op:
        batch_op.create_index("ix_run_datasets_dataset", ["dataset"], unique=False)

    op.create_table(
        "run_models",
        sa.Column("run", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("role", sa.String(length=6), nullable=False),
        sa.Column("model", sa.String(length=64), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run", "role", "model", name=op.f("pk_run_models")),
    )
    with op.batch_alter_table("run_models", schema=None) as batch_op:
        batch_op.create_index("ix_run_models_model", ["model"], unique=False)

    op.create_table(
        "saved_views",
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=250), nullable=False),
        sa.Column("filter", sa.Text(), nullable=False),
        sa.Column("order_by", sa.Text(), nullable=False),
        sa.Column("columns", sa.Text(), nullable=False),
        sa.Column("experiments", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", name=op.f("pk_saved_views")),
    )
    op.create_table(
        "scorers",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("experiment", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=250), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_scorers")),
        sa.UniqueConstraint("experiment", "name", "version", name="uq_scorers_version"),
    )
    op.create_table(
        "stored_files",
        sa.Column("folder", sa.String(length=300), nullable=False),
        sa.Column("name", sa.String(length=1000), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("folder", "name", name=op.f("pk_stored_files")),
    )
    with op.batch_alter_table("stored_files", schema=None) as batch_op:
        batch_op.create_index("ix_stored_files_digest", ["digest"], unique=False)

    op.create_table(
        "trace_links",
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("target", sa.String(length=300), nullable=False),
        sa.Column("trace", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("kind", "target", "trace", name=op.f("pk_trace_links")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("trace_links", schema=None) as batch_op:
        batch_op.create_index("ix_trace_links_trace", ["trace", "kind"], unique=False)

    op.create_table(
        "trace_metadata",
        sa.Column("trace", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("trace", "key", name=op.f("pk_trace_metadata")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "trace_spans",
        sa.Column("trace", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("parent", sa.String(length=16), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.String(length=200), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("started_ns", sa.BigInteger(), nullable=False),
        sa.Column("ended_ns", sa.BigInteger(), nullable=True),
        sa.Column("model", sa.String(length=500), nullable=False),
        sa.Column("tokens", sa.Text(), nullable=True),
        sa.Column("cost", sa.Text(), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("trace", "id", name=op.f("pk_trace_spans")),
    )
    op.create_table(
        "trace_tags",
        sa.Column("trace", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("trace", "key", name=op.f("pk_trace_tags")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "traces",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("experiment", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("started", sa.BigInteger(), nullable=False),
        sa.Column("milliseconds", sa.BigInteger(), nullable=True),
        sa.Column("client_request_id", sa.Text(), nullable=True),
        sa.Column("request_preview", sa.Text(), nullable=True),
        sa.Column("response_preview", sa.Text(), nullable=True),
        sa.Column("session", sa.String(length=250), nullable=True),
        sa.Column("tokens", sa.Text(), nullable=True),
        sa.Column("cost", sa.Text(), nullable=True),
        sa.Column("total_tokens", sa.BigInteger(), nullable=True),
        sa.Column("total_cost", sa.Float(precision=53), nullable=True),
        sa.Column("told", sa.SmallInteger(), nullable=False),
        sa.Column("expected_spans", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_traces")),
        sa.UniqueConstraint("id", name=op.f("uq_traces_id")),
    )
    with op.batch_alter_table("traces", schema=None) as batch_op:
        batch_op.create_index("ix_traces_experiment", ["experiment", "started", "id"], unique=False)
        batch_op.create_index("ix_traces_session", ["session"], unique=False)

    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("events", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("deleted", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    with op.batch_alter_table("webhooks", schema=None) as batch_op:
        batch_op.create_index("ix_webhooks_created", ["created", "id"], unique=False)

    op.create_table(
        "logged_models",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("experiment", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("kind", sa.String(length=500), nullable=False),
        sa.Column("run", sa.String(length=128), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("deleted", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["experiment"], ["experiments.number"], name=op.f("fk_logged_models_experiment")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_logged_models")),
        sa.UniqueConstraint("id", name=op.f("uq_logged_models_id")),
    )
    with op.batch_alter_table("logged_models", schema=None) as batch_op:
        batch_op.create_index("ix_logged_models_experiment", ["experiment", "created"], unique=False)
        batch_op.create_index("ix_logged_models_run", ["run"], unique=False)

    op.create_table(
        "model_approval_words",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("approval", sa.String(length=40), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("word", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["approval"], ["model_approvals.id"], name=op.f("fk_model_approval_words_approval")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_model_approval_words")),
        sa.UniqueConstraint("approval", "by", name=op.f("uq_model_approval_words_approval")),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("webhook", sa.String(length=40), nullable=False),
        sa.Column("event", sa.String(length=60), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("next_try", sa.Float(precision=53), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["webhook"], ["webhooks.id"], name=op.f("fk_webhook_deliveries_webhook")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_webhook_deliveries")),
    )
    with op.batch_alter_table("webhook_deliveries", schema=None) as batch_op:
        batch_op.create_index("ix_webhook_deliveries_state", ["state", "next_try"], unique=False)
        batch_op.create_index("ix_webhook_deliveries_webhook", ["webhook", "number"], unique=False)

    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("assigned_to", sa.String(length=250), server_default=sa.text("('')"), nullable=False)
        )

    with op.batch_alter_table("experiments", schema=None) as batch_op:
        batch_op.add_column(sa.Column("updated", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("deleted", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("location", sa.Text(), server_default=sa.text("('')"), nullable=False))
        batch_op.alter_column(
            "name", existing_type=sa.VARCHAR(length=250), type_=sa.String(length=500), existing_nullable=False
        )

    with op.batch_alter_table("metric_latest", schema=None) as batch_op:
        batch_op.create_index("ix_metric_latest_value", ["key", "value", "run"], unique=False)

    with op.batch_alter_table("model_alias_changes", schema=None) as batch_op:
        batch_op.alter_column(
            "model", existing_type=sa.VARCHAR(length=128), type_=sa.String(length=256), existing_nullable=False
        )
        batch_op.alter_column(
            "alias", existing_type=sa.VARCHAR(length=128), type_=sa.String(length=255), existing_nullable=False
        )

    with op.batch_alter_table("model_aliases", schema=None) as batch_op:
        batch_op.alter_column(
            "model", existing_type=sa.VARCHAR(length=128), type_=sa.String(length=256), existing_nullable=False
        )
        batch_op.alter_column(
            "alias", existing_type=sa.VARCHAR(length=128), type_=sa.String(length=255), existing_nullable=False
        )

    with op.batch_alter_table("model_versions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("source", sa.Text(), server_default=sa.text("('')"), nullable=False))
        batch_op.add_column(sa.Column("status", sa.String(length=20), server_default="ready", nullable=False))
        batch_op.add_column(sa.Column("user", sa.String(length=250), server_default=sa.text("('')"), nullable=False))
        batch_op.add_column(sa.Column("mlflow_stage", sa.String(length=20), server_default="None", nullable=False))
        batch_op.add_column(
            sa.Column("logged_model", sa.String(length=128), server_default=sa.text("('')"), nullable=False)
        )
        batch_op.add_column(sa.Column("run_link", sa.Text(), server_default=sa.text("('')"), nullable=False))
        batch_op.add_column(sa.Column("updated", sa.BigInteger(), nullable=True))
        batch_op.alter_column(
            "model", existing_type=sa.VARCHAR(length=128), type_=sa.String(length=256), existing_nullable=False
        )

    with op.batch_alter_table("models", schema=None) as batch_op:
        batch_op.add_column(sa.Column("tags", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("deleted", sa.BigInteger(), nullable=True))
        batch_op.alter_column(
            "name", existing_type=sa.VARCHAR(length=128), type_=sa.String(length=256), existing_nullable=False
        )

    with op.batch_alter_table("run_artifacts", schema=None) as batch_op:
        batch_op.alter_column(
            "name", existing_type=sa.VARCHAR(length=250), type_=sa.String(length=1000), existing_nullable=False
        )

    with op.batch_alter_table("run_params", schema=None) as batch_op:
        batch_op.add_column(sa.Column("text", sa.Text(), nullable=True))
        batch_op.create_index("ix_run_params_text", ["key", "text", "run"], unique=False)

    with op.batch_alter_table("run_tags", schema=None) as batch_op:
        batch_op.create_index("ix_run_tags_key", ["key", "run"], unique=False)

    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("heartbeats", sa.SmallInteger(), server_default="1", nullable=False))
        batch_op.add_column(sa.Column("user", sa.String(length=250), server_default=sa.text("('')"), nullable=False))

    _fill_texts()
    # What is deployed already needs its versions; from now on a deployment says so itself.
    op.execute(
        "INSERT INTO model_holds (holder, model, version, since) "
        "SELECT 'deployments:/' || name, model, champion, updated FROM deployments WHERE NOT removed"
    )
    op.execute(
        "INSERT INTO model_holds (holder, model, version, since) "
        "SELECT 'deployments:/' || r.deployment, r.model, r.to_version, r.started FROM rollouts AS r "
        "WHERE r.state IN ('running', 'paused') AND NOT EXISTS (SELECT 1 FROM model_holds AS h "
        "WHERE h.holder = 'deployments:/' || r.deployment AND h.model = r.model AND h.version = r.to_version)"
    )


def _fill_texts() -> None:
    """Gives params the text by which they are searched, as this revision's release writes it."""
    table = sa.table("run_params", sa.column("run"), sa.column("key"), sa.column("value"), sa.column("text"))
    connection = op.get_bind()
    change = sa.update(table).where(table.c.run == sa.bindparam("of"), table.c.key == sa.bindparam("named"))
    rows = connection.execute(sa.select(table.c.run, table.c.key, table.c.value)).all()
    found = [{"of": row.run, "named": row.key, "searched": _text(json.loads(row.value))} for row in rows if row.value]
    if found:
        connection.execute(change.values(text=sa.bindparam("searched")), found)


def _text(value: object) -> str:
    text = str(value)
    if len(text.encode()) <= 1500:
        return text
    return f"{text[:300]}...{blake3.blake3(text.encode()).hexdigest()}"


def downgrade() -> None:
    """Takes away what this revision brought."""
    # ### commands auto generated by Alembic - please adjust! ###
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.drop_column("user")
        batch_op.drop_column("heartbeats")

    with op.batch_alter_table("run_tags", schema=None) as batch_op:
        batch_op.drop_index("ix_run_tags_key")

    with op.batch_alter_table("run_params", schema=None) as batch_op:
        batch_op.drop_index("ix_run_params_text")
        batch_op.drop_column("text")

    with op.batch_alter_table("run_artifacts", schema=None) as batch_op:
        batch_op.alter_column(
            "name", existing_type=sa.String(length=1000), type_=sa.VARCHAR(length=250), existing_nullable=False
        )

    with op.batch_alter_table("models", schema=None) as batch_op:
        batch_op.alter_column(
            "name", existing_type=sa.String(length=256), type_=sa.VARCHAR(length=128), existing_nullable=False
        )
        batch_op.drop_column("deleted")
        batch_op.drop_column("tags")

    with op.batch_alter_table("model_versions", schema=None) as batch_op:
        batch_op.alter_column(
            "model", existing_type=sa.String(length=256), type_=sa.VARCHAR(length=128), existing_nullable=False
        )
        batch_op.drop_column("updated")
        batch_op.drop_column("run_link")
        batch_op.drop_column("logged_model")
        batch_op.drop_column("mlflow_stage")
        batch_op.drop_column("user")
        batch_op.drop_column("status")
        batch_op.drop_column("source")

    with op.batch_alter_table("model_aliases", schema=None) as batch_op:
        batch_op.alter_column(
            "alias", existing_type=sa.String(length=255), type_=sa.VARCHAR(length=128), existing_nullable=False
        )
        batch_op.alter_column(
            "model", existing_type=sa.String(length=256), type_=sa.VARCHAR(length=128), existing_nullable=False
        )

    with op.batch_alter_table("model_alias_changes", schema=None) as batch_op:
        batch_op.alter_column(
            "alias", existing_type=sa.String(length=255), type_=sa.VARCHAR(length=128), existing_nullable=False
        )
        batch_op.alter_column(
            "model", existing_type=sa.String(length=256), type_=sa.VARCHAR(length=128), existing_nullable=False
        )

    with op.batch_alter_table("metric_latest", schema=None) as batch_op:
        batch_op.drop_index("ix_metric_latest_value")

    with op.batch_alter_table("experiments", schema=None) as batch_op:
        batch_op.alter_column(
            "name", existing_type=sa.String(length=500), type_=sa.VARCHAR(length=250), existing_nullable=False
        )
        batch_op.drop_column("location")
        batch_op.drop_column("deleted")
        batch_op.drop_column("updated")

    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.drop_column("assigned_to")

    with op.batch_alter_table("webhook_deliveries", schema=None) as batch_op:
        batch_op.drop_index("ix_webhook_deliveries_webhook")
        batch_op.drop_index("ix_webhook_deliveries_state")

    op.drop_table("webhook_deliveries")
    op.drop_table("model_approval_words")
    with op.batch_alter_table("logged_models", schema=None) as batch_op:
        batch_op.drop_index("ix_logged_models_run")
        batch_op.drop_index("ix_logged_models_experiment")

    op.drop_table("logged_models")
    with op.batch_alter_table("webhooks", schema=None) as batch_op:
        batch_op.drop_index("ix_webhooks_created")

    op.drop_table("webhooks")
    with op.batch_alter_table("traces", schema=None) as batch_op:
        batch_op.drop_index("ix_traces_session")
        batch_op.drop_index("ix_traces_experiment")

    op.drop_table("traces")
    op.drop_table("trace_tags")
    op.drop_table("trace_spans")
    op.drop_table("trace_metadata")
    with op.batch_alter_table("trace_links", schema=None) as batch_op:
        batch_op.drop_index("ix_trace_links_trace")

    op.drop_table("trace_links")
    with op.batch_alter_table("stored_files", schema=None) as batch_op:
        batch_op.drop_index("ix_stored_files_digest")

    op.drop_table("stored_files")
    op.drop_table("scorers")
    op.drop_table("saved_views")
    with op.batch_alter_table("run_models", schema=None) as batch_op:
        batch_op.drop_index("ix_run_models_model")

    op.drop_table("run_models")
    with op.batch_alter_table("run_datasets", schema=None) as batch_op:
        batch_op.drop_index("ix_run_datasets_dataset")

    op.drop_table("run_datasets")
    op.drop_table("model_signatures")
    op.drop_table("model_retirements")
    with op.batch_alter_table("model_holds", schema=None) as batch_op:
        batch_op.drop_index("ix_model_holds_model")

    op.drop_table("model_holds")
    op.drop_table("model_deprecations")
    op.drop_table("model_card_sections")
    with op.batch_alter_table("model_approvals", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_model_approvals_open",
            sqlite_where=sa.text("state = 'requested'"),
            postgresql_where=sa.text("state = 'requested'"),
        )
        batch_op.drop_index("ix_model_approvals_model")

    op.drop_table("model_approvals")
    op.drop_table("metric_chunks")
    op.drop_table("logged_model_tags")
    op.drop_table("logged_model_params")
    op.drop_table("logged_model_metrics")
    with op.batch_alter_table("logged_datasets", schema=None) as batch_op:
        batch_op.drop_index("ix_logged_datasets_name")

    op.drop_table("logged_datasets")
    op.drop_table("experiment_tags")
    with op.batch_alter_table("evaluation_sets", schema=None) as batch_op:
        batch_op.drop_index("ix_evaluation_sets_name")

    op.drop_table("evaluation_sets")
    op.drop_table("evaluation_set_tags")
    op.drop_table("evaluation_set_experiments")
    with op.batch_alter_table("evaluation_records", schema=None) as batch_op:
        batch_op.drop_index("ix_evaluation_records_created")

    op.drop_table("evaluation_records")
    with op.batch_alter_table("comments", schema=None) as batch_op:
        batch_op.drop_index("ix_comments_ref")

    op.drop_table("comments")
    with op.batch_alter_table("assessments", schema=None) as batch_op:
        batch_op.drop_index("ix_assessments_trace")
        batch_op.drop_index("ix_assessments_session")

    op.drop_table("assessments")
    with op.batch_alter_table("alert_silences", schema=None) as batch_op:
        batch_op.drop_index("ix_alert_silences_until")

    op.drop_table("alert_silences")
    # ### end Alembic commands ###
