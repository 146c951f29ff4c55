#!/bin/sh
# Makes the namespace of TEMPORAL_NAMESPACE with what Relayline needs there; safe to run again, or twice at the same time.
# Reads TEMPORAL_ADDRESS and whatever else the `temporal` CLI reads, and RETENTION: how long ended runs are kept, e.g. 7d.
set -eu

attributes="RunStatus AgentName Tenant"

# Retry once a second, for a minute: a server that starts, or has just made a namespace, needs some seconds.
patiently() {
    left=60
    until "$@"; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || { echo "temporal-namespace: gave up on: $*" >&2; exit 1; }
        sleep 1
    done
}

namespace() {
    if temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1; then
        temporal operator namespace update --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"
    else
        temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"
    fi
}

has_attributes() {
    found=$(temporal operator search-attribute list --namespace "$TEMPORAL_NAMESPACE") || return
    for name in $attributes; do
        echo "$found" | grep -Eq "^ *$name +Keyword *$" || return
    done
}

attributes() {
    temporal operator search-attribute list --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1 || return
    has_attributes && return
    for name in $attributes; do
        temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" --name "$name" --type Keyword || true
    done
    has_attributes
}

patiently temporal operator cluster health
patiently namespace
patiently attributes
echo "temporal-namespace: $TEMPORAL_NAMESPACE keeps ended runs for $RETENTION and has $attributes"
