/* The whole of the image hello-world: one static program that says what happened. */

#include <unistd.h>

static const char message[] =
    "\n"
    "Hello from Berth!\n"
    "This message shows that your lab host works as a Docker host.\n"
    "\n"
    "To print it, this happened:\n"
    " 1. The docker client asked the Docker daemon of this lab host to run \"hello-world\".\n"
    " 2. The daemon took the image from Berth's catalogue, which needs no internet.\n"
    " 3. It made a container from the image: namespaces, a root directory, a network address.\n"
    " 4. The one program in it ran, and its output came back to your terminal. It has ended now;\n"
    "    \"docker ps -a\" still lists its container.\n"
    "\n"
    "Something more ambitious, a shell in a container:\n"
    " $ docker run -it debian bash\n"
    "\n"
    "(This image is Berth's own, not the one of the same name on Docker Hub.)\n"
    "\n";

int main(void)
{
    size_t done = 0;
    while (done < sizeof message - 1) {
        ssize_t n = write(STDOUT_FILENO, message + done, sizeof message - 1 - done);
        if (n <= 0)
            return 1;
        done += (size_t)n;
    }
    return 0;
}
