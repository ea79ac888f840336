/* replay.c: main() of a fuzz target without libFuzzer: runs each file of the folders and
 * files given, once, and prints how many. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long files;

static void run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	if (!f) {
		perror(path);
		exit(1);
	}
	uint8_t *data = NULL;
	size_t n = 0, room = 0;
	do {
		room += 65536;
		data = realloc(data, room);
		if (!data)
			abort();
		n += fread(data + n, 1, room - n, f);
	} while (n == room);
	fclose(f);
	LLVMFuzzerTestOneInput(data, n);
	free(data);
	files++;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct dirent **list;
		int n = scandir(argv[i], &list, NULL, alphasort);
		if (n < 0) {
			run_file(argv[i]);
			continue;
		}
		for (int k = 0; k < n; k++) {
			char path[4096];
			snprintf(path, sizeof path, "%s/%s", argv[i], list[k]->d_name);
			if (list[k]->d_name[0] != '.')
				run_file(path);
			free(list[k]);
		}
		free(list);
	}
	printf("%lu inputs replayed\n", files);
	return 0;
}
