// The floor: what the server and the line themselves cost. It works off a list that is made before the clock starts, with
// the fewest commands FTP allows, on several sessions, and keeps no books: no listing, no comparing, no temporary names, no
// sizes, no times. Whatever is unexpected ends it. A client that does its work right can come near it, not below it.
//
//   floor pull|push|list HOST PORT USER PASSWORD SESSIONS LIST LOCAL REMOTE [whole] [vsftpd]
//
// LIST holds paths below LOCAL and REMOTE, one a line, directories with a `/` behind them and before what is in them. `pull`
// and `push` make these directories and send the files; `list` asks for the directories' listings by pipelined STAT and
// throws them away.
//
// With `whole` each file gets a temporary name, its time and then its name, and an upload's size is asked for before that. These
// commands ride along with the next file's, so they cost work and no round trips.
//
// `vsftpd` takes an upload's commands behind the running one, which others can't; its listings tell times to the minute alone, so
// that MDTM is asked for a download's, and MDTM sets them, too.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

// What a server must keep unanswered, at most.
enum { WINDOW_COMMANDS = 32, WINDOW_BYTES = 4096, BLOCK = 256 << 10 };

struct session {
    int control;
    char in[64 << 10];
    size_t at, end;
};

static struct sockaddr_in server;
static const char *user, *password, *local, *remote;
static char **dirs, **files;
static size_t dir_count, file_count;
static atomic_size_t next_dir, next_file;
static int whole, vsftpd;
static struct session *_Atomic first_session;

static void read_list(const char *name);
static void in_threads(int sessions, void *(*work)(void *));
static void *pull(void *), *push(void *), *list(void *);
static void make_local_dirs(void), make_remote_dirs(void);

int main(int count, char **words) {
    if (count < 10) {
        fprintf(stderr, "usage: floor pull|push|list HOST PORT USER PASSWORD SESSIONS LIST LOCAL REMOTE [whole] [vsftpd]\n");
        return 2;
    }
    server.sin_family = AF_INET;
    inet_pton(AF_INET, words[2], &server.sin_addr);
    server.sin_port = htons(atoi(words[3]));
    user = words[4], password = words[5];
    int sessions = atoi(words[6]);
    read_list(words[7]);
    local = words[8], remote = words[9];
    for (int i = 10; i < count; i++) {
        whole |= strcmp(words[i], "whole") == 0;
        vsftpd |= strcmp(words[i], "vsftpd") == 0;
    }
    if (strcmp(words[1], "pull") == 0) {
        make_local_dirs();
        in_threads(sessions, pull);
    } else if (strcmp(words[1], "push") == 0) {
        make_remote_dirs();
        in_threads(sessions, push);
    } else {
        in_threads(sessions, list);
    }
    return 0;
}

static void fail(const char *what, const char *detail) {
    fprintf(stderr, "floor: %s: %s\n", what, detail);
    exit(1);
}

static void read_list(const char *name) {
    FILE *lines = fopen(name, "r");
    if (!lines) fail(name, strerror(errno));
    char *line = NULL;
    size_t room = 0, most = 0;
    for (ssize_t n; (n = getline(&line, &room, lines)) > 0;) {
        if (dir_count + file_count >= most) {
            most = most ? 2 * most : 1024;
            dirs = realloc(dirs, most * sizeof *dirs);
            files = realloc(files, most * sizeof *files);
        }
        line[--n] = 0;
        if (line[n - 1] != '/') {
            files[file_count++] = strdup(line);
        } else {
            line[n - 1] = 0;
            dirs[dir_count++] = strdup(line);
        }
    }
    fclose(lines);
}

static void in_threads(int sessions, void *(*work)(void *)) {
    size_t most = work == list ? dir_count : file_count;
    if (most < (size_t)sessions) sessions = most;
    pthread_t threads[sessions];
    for (int i = 0; i < sessions; i++) pthread_create(&threads[i], NULL, work, NULL);
    for (int i = 0; i < sessions; i++) pthread_join(threads[i], NULL);
}

static char *take(char **all, size_t count, atomic_size_t *next) {
    size_t mine = atomic_fetch_add(next, 1);
    return mine < count ? all[mine] : NULL;
}

// ---- the control connection

static int connect_to(int port, int no_delay) {
    struct sockaddr_in to = server;
    to.sin_port = htons(port);
    int socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (no_delay) setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof no_delay);
    if (connect(socket_, (struct sockaddr *)&to, sizeof to) < 0) fail("connect", strerror(errno));
    return socket_;
}

static void send_all(int to, const char *bytes, size_t count) {
    while (count > 0) {
        ssize_t n = write(to, bytes, count);
        if (n < 0) fail("write", strerror(errno));
        bytes += n, count -= n;
    }
}

static void command(struct session *s, const char *format, ...) {
    char line[2 * 4096];
    va_list values;
    va_start(values, format);
    int n = vsnprintf(line, sizeof line, format, values);
    va_end(values);
    send_all(s->control, line, n);
}

// Returns the next line without its end.
static char *next_line(struct session *s) {
    for (;;) {
        char *from = s->in + s->at, *end = memchr(from, '\n', s->end - s->at);
        if (end) {
            *end = 0;
            s->at = end + 1 - s->in;
            return from;
        }
        memmove(s->in, from, s->end -= s->at);
        s->at = 0;
        ssize_t n = read(s->control, s->in + s->end, sizeof s->in - s->end);
        if (n <= 0) fail("control connection", n ? strerror(errno) : "closed");
        s->end += n;
    }
}

// Returns the last line of the next reply, whose code must be of that class.
static char *reply(struct session *s, char class) {
    char *line = next_line(s), code[4] = {0};
    memcpy(code, line, 3);
    if (line[3] == '-') {
        while (strncmp(line, code, 3) != 0 || line[3] != ' ') line = next_line(s);
    }
    if (line[0] != class) fail("unexpected", line);
    return line;
}

static struct session *log_in(void) {
    // Left open by make_remote_dirs: after the end of a session, ProFTPD takes no other for 0.4 s.
    struct session *s = atomic_exchange(&first_session, NULL);
    if (s) return s;
    s = calloc(1, sizeof *s);
    s->control = connect_to(ntohs(server.sin_port), 1);
    reply(s, '2');
    command(s, "USER %s\r\nPASS %s\r\nTYPE I\r\n", user, password);
    reply(s, '3'), reply(s, '2'), reply(s, '2');
    return s;
}

static int data_connection(struct session *s) {
    int port;
    char *line = reply(s, '2'), *at = strstr(line, "(|||");
    if (!at || sscanf(at, "(|||%d|", &port) != 1) fail("EPSV", line);
    return connect_to(port, 0);
}

// ---- the works

// What a file's temporary name ends with.
static const char *part(void) { return whole ? ".part" : ""; }

static void ask_for(struct session *s, const char *file) {
    if (whole && vsftpd) command(s, "MDTM %s/%s\r\nEPSV\r\nRETR %s/%s\r\n", remote, file, remote, file);
    else command(s, "EPSV\r\nRETR %s/%s\r\n", remote, file);
}

static time_t time_of(const char *line) {
    struct tm at = {0};
    if (!strptime(line + 4, "%Y%m%d%H%M%S", &at)) fail("MDTM", line);
    return timegm(&at);
}

static void *pull(void *unused) {
    struct session *s = log_in();
    char *block = malloc(BLOCK), path[2 * 4096], final[4096];
    char *file = take(files, file_count, &next_file);
    if (file) ask_for(s, file);
    while (file) {
        time_t time = whole && vsftpd ? time_of(reply(s, '2')) : 0;
        int data = data_connection(s);
        snprintf(final, sizeof final, "%s/%s", local, file);
        snprintf(path, sizeof path, "%s%s", final, part());
        int to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (to < 0) fail(path, strerror(errno));
        for (ssize_t n; (n = read(data, block, BLOCK)) != 0;) {
            if (n < 0) fail("data connection", strerror(errno));
            send_all(to, block, n);
        }
        file = take(files, file_count, &next_file);
        // The data ended, so the server has nothing left to do but to say so.
        if (file) ask_for(s, file);
        struct timespec times[2] = {{.tv_sec = time}, {.tv_sec = time}};
        if (whole && futimens(to, times) < 0) fail(path, strerror(errno));
        close(data), close(to);
        reply(s, '1'), reply(s, '2');
        if (whole && rename(path, final) < 0) fail(path, strerror(errno));
    }
    return unused;
}

// Writes one upload's commands, and those that finish the one before; returns how many replies the latter have.
static int store(struct session *s, const char *done, const struct stat *meta, const char *next) {
    char line[6 * 4096] = "", *end = line;
    int finishing = whole && done;
    if (finishing) {
        char time[16];
        strftime(time, sizeof time, "%Y%m%d%H%M%S", gmtime_r(&meta->st_mtime, &(struct tm){0}));
        end += sprintf(end, "SIZE %s/%s.part\r\n", remote, done);
        end += sprintf(end, "%s %s %s/%s.part\r\n", vsftpd ? "MDTM" : "MFMT", time, remote, done);
        end += sprintf(end, "RNFR %s/%s.part\r\nRNTO %s/%s\r\n", remote, done, remote, done);
    }
    if (next) end += sprintf(end, "EPSV\r\nSTOR %s/%s%s\r\n", remote, next, part());
    send_all(s->control, line, end - line);
    return finishing;
}

static void finished(struct session *s, const struct stat *meta) {
    char *size = reply(s, '2');
    if (atoll(size + 4) != meta->st_size) fail("SIZE", size);
    reply(s, '2'), reply(s, '3'), reply(s, '2');
}

static void *push(void *unused) {
    struct session *s = log_in();
    char path[4096];
    char *file = take(files, file_count, &next_file);
    if (file) store(s, NULL, NULL, file);
    while (file) {
        snprintf(path, sizeof path, "%s/%s", local, file);
        int from = open(path, O_RDONLY | O_CLOEXEC);
        struct stat meta;
        if (from < 0 || fstat(from, &meta) < 0) fail(path, strerror(errno));
        int data = data_connection(s);
        for (off_t left = meta.st_size; left > 0;) {
            ssize_t n = sendfile(data, from, NULL, left);
            if (n <= 0) fail("data connection", strerror(errno));
            left -= n;
        }
        char *done = file;
        file = take(files, file_count, &next_file);
        int finishing = 0;
        if (vsftpd) finishing = store(s, done, &meta, file);
        close(data), close(from);
        reply(s, '1'), reply(s, '2');
        if (!vsftpd) finishing = store(s, done, &meta, file);
        if (finishing) finished(s, &meta);
    }
    return unused;
}

static void *list(void *unused) {
    struct session *s = log_in();
    size_t lengths[WINDOW_COMMANDS], asked = 0, answered = 0, bytes = 0;
    char *dir = take(dirs, dir_count, &next_dir);
    while (dir || answered < asked) {
        size_t length = dir ? strlen(remote) + strlen(dir) + sizeof "STAT /\r\n" : 0;
        if (dir && asked - answered < WINDOW_COMMANDS && bytes + length <= WINDOW_BYTES) {
            command(s, "STAT %s/%s\r\n", remote, dir);
            bytes += lengths[asked++ % WINDOW_COMMANDS] = length;
            dir = take(dirs, dir_count, &next_dir);
        } else {
            reply(s, '2');
            bytes -= lengths[answered++ % WINDOW_COMMANDS];
        }
    }
    return unused;
}

static void make_local_dirs(void) {
    char path[4096];
    for (size_t i = 0; i < dir_count; i++) {
        snprintf(path, sizeof path, "%s/%s", local, dirs[i]);
        mkdir(path, 0777);
    }
}

static void make_remote_dirs(void) {
    struct session *s = log_in();
    size_t answered = 0;
    for (size_t i = 0; i < dir_count; i++) {
        command(s, "MKD %s/%s\r\n", remote, dirs[i]);
        if (i + 1 - answered >= WINDOW_COMMANDS) reply(s, '2'), answered++;
    }
    while (answered++ < dir_count) reply(s, '2');
    first_session = s;
}
