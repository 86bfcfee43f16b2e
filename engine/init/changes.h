/* berth-init changes UPPER LOWER…: what docker diff lists. */
#pragma once

int changes_main(int argc, char **argv);
