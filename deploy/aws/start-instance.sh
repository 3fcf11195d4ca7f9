#!/bin/bash
# Makes a fresh Amazon Linux 2023 a machine of BEC; run once, as root, by the user data of deploy/aws/bec.yaml:
#
#   start-instance.sh worker REGION SECRET JOB       a worker of JOB, or one for each GPU
#   start-instance.sh desk REGION SECRET JOB...      the feeders of the jobs, and a shell for operators
#
# The wheels lie beside this file, all of them: nothing is fetched from a package index when a fleet grows at night.
set -euo pipefail

role=$1 region=$2 secret=$3
shift 3
jobs=("$@")
release=$(dirname "$(readlink -f "$0")")
python=python3.11

dnf install -y -q "$python" "$python-pip" amazon-cloudwatch-agent logrotate
"$python" -m venv /opt/bec
extras=""
[ "$role" = desk ] || extras="[torch]" # the desk runs no model
wheels=()
for wheel in "$release"/bec_*.whl; do
    case $wheel in */bec_ldv1-*) wheel+=$extras ;; esac
    wheels+=("$wheel")
done
/opt/bec/bin/pip install --quiet --no-index --find-links "$release" "${wheels[@]}"

# The settings are public, the password is not: systemd reads the file as root before it drops its rights.
# What the machine says of itself comes first, so that a line in the parameter has the last word.
metadata=http://169.254.169.254/latest
token=$(curl -sSf -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" "$metadata/api/token")
kind=$(curl -sSf -H "X-aws-ec2-metadata-token: $token" "$metadata/meta-data/instance-type")
install -d /etc/bec
(
    umask 077
    printf 'BEC_EMF_INSTANCE_TYPE=%s\n' "$kind" >/etc/bec/worker.env
    aws ssm get-parameter --region "$region" --name "/bec/${jobs[0]}/worker.env" \
        --query Parameter.Value --output text >>/etc/bec/worker.env
    aws secretsmanager get-secret-value --region "$region" --secret-id "$secret" --query SecretString --output text |
        "$python" -c 'import json, sys; print("\nBEC_SQL_PASSWORD=" + json.load(sys.stdin)["password"])' >>/etc/bec/worker.env
)

shared=/opt/bec/share/bec/systemd
id bec &>/dev/null || useradd --system --home-dir /var/lib/bec bec
cp "$shared"/*.service /etc/systemd/system/
cp "$shared/bec.logrotate" /etc/logrotate.d/bec
/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl -a fetch-config -m ec2 -s -c "file:$shared/cloudwatch-agent.json"
systemctl daemon-reload

if [ "$role" = desk ]; then
    printf 'export PATH=/opt/bec/bin:$PATH BEC_ENV_FILE=/etc/bec/worker.env\n' >/etc/profile.d/bec.sh
    for job in "${jobs[@]}"; do
        systemctl enable --now --no-block "bec-feeder@$job"
    done
else
    shopt -s nullglob
    gpus=(/dev/nvidia[0-9]*)
    if [ ${#gpus[@]} -gt 1 ]; then
        for number in "${!gpus[@]}"; do
            systemctl enable --now --no-block "bec-worker@${jobs[0]}:$number"
        done
    else
        systemctl enable --now --no-block "bec-worker@${jobs[0]}"
    fi
fi
