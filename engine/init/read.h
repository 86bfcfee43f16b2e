/* berth-init read PATH…: many small files in one answer. */
#pragma once

int read_main(int argc, char **argv);
