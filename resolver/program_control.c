/* program_control.c: what the operator may ask of sinkholed, see include/control.h. */
#include <unistd.h>

#include <jansson.h>

#include "include/version.h"
#include "resolver/explain.h"
#include "resolver/program_parts.h"

static json_t *store_status(struct program *p)
{
	struct blocklist_stats st;
	int err = blocklist_view_renew(p->view);
	if (!err)
		err = blocklist_stats_get(p->view, &st);
	blocklist_view_reset(p->view);
	if (err)
		return json_pack("{s:s}", "error", err_text(err));
	return json_pack("{s:I, s:I, s:I, s:I, s:i, s:I, s:s}", "generation",
			 (json_int_t)st.stamp.generation, "names", (json_int_t)st.names,
			 "addresses", (json_int_t)st.addresses, "clients",
			 (json_int_t)st.clients, "lists", (int)st.lists, "bytes",
			 (json_int_t)st.bytes_used, "check",
			 p->store_replaced ? "replaced: restart sinkholed"
			 : p->verifier	   ? "running"
			 : p->checked	   ? "not finished"
					   : "whole");
}

static json_t *hits_status(struct program *p)
{
	static const char full[] =
		"no space: listed questions are folded, then left unanswered";
	static const char *const state[] = {"ok", full, "failed: the same"};
	struct hit_log_stats st;
	hit_log_stats(p->shared.hits, &st);
	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "state",
			 state[st.state], "trouble", st.trouble, "segment", st.segment,
			 "rotations", (json_int_t)st.rotations, "stored",
			 (json_int_t)st.stored, "folded", (json_int_t)st.folded,
			 "unanswered", (json_int_t)st.no_room, "waiting_bytes",
			 (json_int_t)st.waiting_bytes, "segments",
			 (json_int_t)st.segments, "bytes", (json_int_t)st.segments_bytes);
}

static json_t *cache_status(struct program *p)
{
	struct rrset_cache_stats st;
	struct denial_stats spans = {0};
	rrset_cache_stats(p->shared.cache, &st);
	if (p->shared.denial)
		denial_stats(p->shared.denial, &spans);
	return json_pack("{s:I, s:I, s:I, s:I}", "rrsets", (json_int_t)st.entries,
			 "denials", (json_int_t)spans.spans, "bytes",
			 (json_int_t)(st.bytes + spans.bytes), "limit",
			 (json_int_t)(st.limit + spans.limit));
}

static int control_status(void *arg, const json_t *request, json_t *answer,
			  char error[CONTROL_ERROR_MAX])
{
	struct program *p = arg;
	uint64_t now_s = (uint64_t)program_clock_ms(CLOCK_MONOTONIC) / 1000;
	(void)request, (void)error;
	json_object_set_new(answer, "version", json_string(SINKHOLED_VERSION));
	json_object_set_new(answer, "pid", json_integer(getpid()));
	json_object_set_new(answer, "uptime_s",
			    json_integer((json_int_t)(now_s - p->started_s)));
	json_object_set_new(answer, "node", json_string(p->reload.conf->node));
	json_object_set_new(answer, "workers", json_integer(p->workers));
	json_object_set_new(answer, "blocklist", store_status(p));
	json_object_set_new(answer, "hits", hits_status(p));
	json_object_set_new(answer, "cache", cache_status(p));
	json_object_set_new(answer, "anchors", trust_status(p->trust));
	return 0;
}

static int control_stats(void *arg, const json_t *request, json_t *answer,
			 char error[CONTROL_ERROR_MAX])
{
	struct program *p = arg;
	uint64_t sums[STATS_N] = {0};
	json_t *counters = json_object();
	(void)request, (void)error;
	for (int i = 0; i < p->workers; i++)
		stats_sum(sums, worker_stats(p->worker[i]));
	stats_sum(sums, trace_stats(p->trace));
	for (int i = 0; i < STATS_N; i++)
		json_object_set_new(counters, stats_name((enum stats_counter)i),
				    json_integer((json_int_t)sums[i]));
	json_object_set_new(answer, "counters", counters);
	return 0;
}

static int control_flush(void *arg, const json_t *request, json_t *answer,
			 char error[CONTROL_ERROR_MAX])
{
	struct program *p = arg;
	uint8_t name[DNS_NAME_MAX];
	const char *text = json_string_value(json_object_get(request, "name"));
	bool subtree = json_is_true(json_object_get(request, "subtree"));
	if (text && name_from_str(name, text)) {
		snprintf(error, CONTROL_ERROR_MAX, "name: not a domain name");
		return ERR_FORMAT;
	}
	uint64_t gone = shared_flush(&p->shared, text ? name : NULL, subtree);
	json_object_set_new(answer, "removed", json_integer((json_int_t)gone));
	return 0;
}

static int control_trace(void *arg, const json_t *request, json_t *answer,
			 char error[CONTROL_ERROR_MAX])
{
	struct program *p = arg;
	return trace_start(p->trace, request, answer, error);
}

static int control_explain(void *arg, const json_t *request, json_t *answer,
			   char error[CONTROL_ERROR_MAX])
{
	struct program *p = arg;
	int err = blocklist_view_renew(p->view);
	if (!err)
		err = explain(answer, request, p->view, p->shared.conf, error);
	blocklist_view_reset(p->view);
	return err;
}

static void traced(void *arg, json_t *answer)
{
	struct program *p = arg;
	control_finish(p->control, answer);
}

static int control_anchors(void *arg, const json_t *request, json_t *answer,
			   char error[CONTROL_ERROR_MAX])
{
	struct program *p = arg;
	(void)request, (void)error;
	return trust_list(p->trust, answer);
}

static int control_nta(void *arg, const json_t *request, json_t *answer,
		       char error[CONTROL_ERROR_MAX])
{
	struct program *p = arg;
	(void)answer;
	return trust_nta(p->trust, request, error);
}

static int control_reload(void *arg, const json_t *request, json_t *answer,
			  char error[CONTROL_ERROR_MAX])
{
	struct program *p = arg;
	char kept[CONF_KEPT_MAX];
	(void)request;
	int err = program_reload(p, error, kept);
	json_object_set_new(answer, "need_restart", json_string(kept));
	json_object_set_new(answer, "anchors", trust_status(p->trust));
	return err;
}

static int control_rotate(void *arg, const json_t *request, json_t *answer,
			  char error[CONTROL_ERROR_MAX])
{
	struct program *p = arg;
	uint64_t number = hit_log_rotate(p->shared.hits);
	(void)request, (void)error;
	json_object_set_new(answer, "rotation", json_integer((json_int_t)number));
	return 0;
}

static int control_stop(void *arg, const json_t *request, json_t *answer,
			char error[CONTROL_ERROR_MAX])
{
	(void)request, (void)answer, (void)error;
	program_stop(arg);
	return 0;
}

static const struct control_command commands[] = {
	{"status", control_status, false},   {"stats", control_stats, false},
	{"flush", control_flush, true},	     {"reload", control_reload, true},
	{"trace", control_trace, true}, /* it makes us send packets */
	{"explain", control_explain, false}, {"anchors", control_anchors, false},
	{"nta", control_nta, true},	     {"rotate", control_rotate, true},
	{"stop", control_stop, true},	     {NULL, NULL, false},
};

int program_control(struct program *p)
{
	char error[CONTROL_ERROR_MAX] = "no memory for traces";
	const struct trace_hooks hooks = {p, traced};
	int err = trace_open(&p->trace, &p->loop, &p->shared, &hooks);
	if (!err)
		err = control_open(&p->control, &p->loop, p->reload.conf->runtime,
				   commands, p, error);
	if (err)
		log_error("%s", error);
	return err;
}
