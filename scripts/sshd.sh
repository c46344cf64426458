# shellcheck shell=bash
# An sshd of our own on a free high port of the loopback interface, with keys made for this run; for scripts that source this file.

ssh_cipher=aes128-gcm@openssh.com
sshd_pid=

# over_ssh scp ARGUMENT...: copies as this user with the keys made here. Its process id is left for start_peaks.
over_ssh() {
  (
    echo "$BASHPID" >"${work:?}/client.pid"
    shift
    exec timeout --foreground "${STEP_SECONDS:?}" scp -q -F "$work/ssh/client_config" "$@"
  )
}

start_sshd() {
  local folder=$work/ssh attempt port deadline
  mkdir -m 700 "$folder"
  ssh-keygen -q -t ed25519 -N '' -f "$folder/host_key"
  ssh-keygen -q -t ed25519 -N '' -f "$folder/user_key"
  cp "$folder/user_key.pub" "$folder/authorized_keys"
  # sshd as root wants an empty folder of that name for its unprivileged half.
  if ((EUID == 0)); then mkdir -p /run/sshd; fi
  for attempt in 1 2 3 4 5; do
    port=$((20000 + RANDOM))
    cat >"$folder/sshd_config" <<END
ListenAddress 127.0.0.1
Port $port
HostKey $folder/host_key
AuthorizedKeysFile $folder/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
Ciphers $ssh_cipher
Subsystem sftp internal-sftp
END
    : >"$work/sshd.log"
    "$(command -v sshd)" -D -e -f "$folder/sshd_config" 2>"$work/sshd.log" &
    sshd_pid=$!
    deadline=$((SECONDS + 10))
    until grep -q 'Server listening' "$work/sshd.log"; do
      if ! kill -0 "$sshd_pid" 2>/dev/null || ((SECONDS >= deadline)); then
        stop_sshd
        continue 2
      fi
      sleep 0.1
    done
    cat >"$folder/client_config" <<END
Host 127.0.0.1
  Port $port
  User $(id -un)
  IdentityFile $folder/user_key
  IdentitiesOnly yes
  UserKnownHostsFile $folder/known_hosts
  StrictHostKeyChecking yes
  BatchMode yes
  Compression no
  Ciphers $ssh_cipher
END
    echo "[127.0.0.1]:$port $(<"$folder/host_key.pub")" >"$folder/known_hosts"
    timeout 20 ssh -F "$folder/client_config" 127.0.0.1 true || fail "this user cannot log in to the sshd that was started here"
    return
  done
  fail "sshd did not start (tried $attempt ports)"
}

stop_sshd() {
  if [[ -n $sshd_pid ]]; then stop_process "$sshd_pid"; fi
  sshd_pid=
}
