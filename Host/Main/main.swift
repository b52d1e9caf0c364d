import Gateway
import Glibc

exit(0)
